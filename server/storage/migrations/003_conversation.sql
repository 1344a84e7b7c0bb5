-- What hangs below a comment, so that neither a page nor a count has to walk a branch: visible descendants, visible
-- direct answers. `ended`: when it was removed, in milliseconds.
ALTER TABLE comments ADD COLUMN below INTEGER NOT NULL DEFAULT 0;
ALTER TABLE comments ADD COLUMN replies INTEGER NOT NULL DEFAULT 0;
ALTER TABLE comments ADD COLUMN ended INTEGER;
UPDATE comments SET replies = (SELECT count(*) FROM comments r WHERE r.parent = comments.id AND r.state = 'visible');
CREATE TEMP TABLE under AS
WITH RECURSIVE up(id, above) AS (
    SELECT id, parent FROM comments WHERE state = 'visible' AND parent IS NOT NULL
    UNION ALL SELECT up.id, c.parent FROM up JOIN comments c ON c.id = up.above WHERE c.parent IS NOT NULL
)
SELECT above AS id, count(*) AS below FROM up GROUP BY above;
UPDATE comments SET below = under.below FROM temp.under AS under WHERE comments.id = under.id;
DROP TABLE temp.under;
DROP INDEX comments_replies;
CREATE INDEX comments_thread ON comments (thread);
CREATE INDEX comments_author ON comments (author);
CREATE INDEX comments_removed ON comments (ended) WHERE state = 'removed';
CREATE INDEX comments_pending ON comments (thread) WHERE state = 'pending';

-- Earlier texts of edited comments.
CREATE TABLE revisions (
    comment INTEGER NOT NULL REFERENCES comments (id),
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    replaced INTEGER NOT NULL,
    PRIMARY KEY (comment, revision)
) STRICT, WITHOUT ROWID;

-- Which comments a comment quotes.
CREATE TABLE quotes (
    comment INTEGER NOT NULL REFERENCES comments (id),
    source INTEGER NOT NULL REFERENCES comments (id),
    PRIMARY KEY (comment, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX quotes_source ON quotes (source);

-- `folded` is how much of `value` the comment's up and down hold already.
CREATE TABLE votes (
    comment INTEGER NOT NULL REFERENCES comments (id),
    account INTEGER NOT NULL REFERENCES accounts (id),
    value INTEGER NOT NULL CHECK (value IN (-1, 0, 1)),
    folded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (comment, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX votes_unfolded ON votes (comment) WHERE value <> folded;
CREATE INDEX votes_account ON votes (account, comment);

-- Replies and mentions: what an account is told of. `heard`: up to which of them it has read.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts (id),
    comment INTEGER NOT NULL REFERENCES comments (id),
    kind TEXT NOT NULL CHECK (kind IN ('reply', 'mention')),
    version INTEGER NOT NULL,
    UNIQUE (account, comment)
) STRICT;
CREATE INDEX notices_version ON notices (account, version);
ALTER TABLE accounts ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN feed TEXT;
CREATE UNIQUE INDEX accounts_feed ON accounts (feed) WHERE feed IS NOT NULL;
ALTER TABLE accounts ADD COLUMN banned INTEGER NOT NULL DEFAULT 0;

-- Up to where an account has read a thread: its newest comment and its version then, and when, in milliseconds.
CREATE TABLE visits (
    account INTEGER NOT NULL REFERENCES accounts (id),
    thread INTEGER NOT NULL REFERENCES threads (id),
    comment INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, thread)
) STRICT, WITHOUT ROWID;

-- What is visible can be found; `unindexed` are those that wait for their turn. What disappears is out at once.
CREATE VIRTUAL TABLE search USING fts5 (body, content = 'comments', content_rowid = 'id', tokenize = 'trigram');
CREATE TABLE unindexed (comment INTEGER PRIMARY KEY) STRICT;
INSERT INTO unindexed SELECT id FROM comments WHERE state = 'visible';
CREATE TRIGGER comments_found AFTER INSERT ON comments WHEN new.state = 'visible' BEGIN
    INSERT INTO unindexed VALUES (new.id);
END;
-- One trigger: the order of several is nobody's promise.
CREATE TRIGGER comments_lost_and_found AFTER UPDATE OF body, state ON comments
WHEN (old.state = 'visible' OR new.state = 'visible') AND (old.state <> new.state OR old.body <> new.body) BEGIN
    INSERT INTO search (search, rowid, body) SELECT 'delete', old.id, old.body
    WHERE old.state = 'visible' AND NOT EXISTS (SELECT 1 FROM unindexed WHERE comment = old.id);
    DELETE FROM unindexed WHERE comment = old.id;
    INSERT INTO unindexed SELECT new.id WHERE new.state = 'visible';
END;
