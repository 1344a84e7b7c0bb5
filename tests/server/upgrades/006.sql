BEGIN TRANSACTION;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    skeleton TEXT NOT NULL UNIQUE,
    password TEXT,
    role TEXT NOT NULL DEFAULT 'reader' CHECK (role IN ('reader', 'moderator', 'staff')),
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    created INTEGER NOT NULL
, bell INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "accounts" VALUES(1,'Ana','ana',NULL,'reader','open',1795502874761,0,0);
INSERT INTO "accounts" VALUES(2,'Bo','bo',NULL,'reader','open',1795502874762,0,0);
INSERT INTO "accounts" VALUES(3,'Keeper','keeper','$argon2id$v=19$m=19456,t=2,p=1$aPKDYzBaEMsHzoClU33wcA$J4lUJ5ZJ1V+wigs7c8FZHqfd+gzTJeiLl233yZ8/kcM','staff','open',1795502875138,0,0);
INSERT INTO "accounts" VALUES(4,'Dot','dot','$argon2id$v=19$m=19456,t=2,p=1$HaKdD6+dRtszhkVgzpqocQ$EPvL0XdH+6hUxPHYyiRCxz26yuEKVs9Zqh4svKR9m8k','reader','open',1795502875387,0,0);
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    epoch TEXT NOT NULL
) STRICT;
INSERT INTO "clock" VALUES(1,6,'IowWFxpH888l');
CREATE TABLE comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    thread INTEGER NOT NULL REFERENCES threads (id),
    parent INTEGER REFERENCES comments (id),
    depth INTEGER NOT NULL,
    author INTEGER REFERENCES accounts (id),
    nonce TEXT,
    request_hash BLOB,
    source TEXT,
    state TEXT NOT NULL CHECK (state IN ('visible', 'pending', 'removed', 'deleted')),
    shown INTEGER NOT NULL,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    format TEXT NOT NULL DEFAULT 'markdown' CHECK (format IN ('markdown', 'html')),
    revision INTEGER NOT NULL DEFAULT 1,
    base_up INTEGER NOT NULL DEFAULT 0,
    base_down INTEGER NOT NULL DEFAULT 0,
    up INTEGER NOT NULL DEFAULT 0,
    down INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    edited INTEGER,
    version INTEGER NOT NULL
) STRICT;
INSERT INTO "comments" VALUES(1,1,NULL,0,1,NULL,NULL,'jsonl:a','visible',1,'An **old** comment','<p>An <strong>old</strong> comment</p>','markdown',1,3,0,0,0,1700000000000,NULL,4);
INSERT INTO "comments" VALUES(2,1,1,1,NULL,NULL,NULL,'jsonl:b','removed',1,'','','markdown',1,0,0,0,0,1700000060000,NULL,1);
INSERT INTO "comments" VALUES(3,1,2,2,2,NULL,NULL,'jsonl:c','visible',1,'> An old comment

No.','<blockquote>
<p>An old comment</p>
</blockquote>
<p>No.</p>','markdown',1,0,1,0,0,1700000120000,1700000180000,1);
INSERT INTO "comments" VALUES(4,1,1,1,4,'nnnnnnnnnnnnnnnnnnnn',X'6A3E49814B7269DA32652120C72F04B0A3AA5BF3400D15BDF40484FF37BFCC23',NULL,'visible',1,'Posted then','<p>Posted then</p>','markdown',1,0,0,0,0,1795502875397,NULL,4);
INSERT INTO "comments" VALUES(5,1,NULL,0,4,'mmmmmmmmmmmmmmmmmmmm',X'C139ED78EF9B6737B3B934B58B36813AFAF3ABB70CDB1BDA722D1BA460229526',NULL,'deleted',1,'','','markdown',1,0,0,0,0,1795502875403,NULL,6);
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id),
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES(X'819A07A2A58A5B40C9957328DE4E79C483A7C7DDC18EAEA80A9F5100EB56C08E',4,1795502875389,1795502875389);
CREATE TABLE threads (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL DEFAULT '',
    url TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL DEFAULT '',
    author INTEGER REFERENCES accounts (id),
    locked INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0,
    comments INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    active INTEGER NOT NULL
) STRICT;
INSERT INTO "threads" VALUES(1,'old','From before','','',1,0,6,3,1795502874761,1795502875403);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX threads_active ON threads (active);
CREATE INDEX threads_version ON threads (version);
CREATE INDEX comments_changes ON comments (thread, version);
CREATE INDEX comments_tree ON comments (thread, parent);
CREATE INDEX comments_replies ON comments (parent, state);
CREATE UNIQUE INDEX comments_nonce ON comments (author, nonce);
CREATE UNIQUE INDEX comments_source ON comments (thread, source) WHERE source IS NOT NULL;
CREATE INDEX accounts_bell ON accounts (bell);
CREATE INDEX accounts_ended ON accounts (ended);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('comments',5);
COMMIT;
BEGIN TRANSACTION;
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
UPDATE comments SET body = '> words of five
>
> — [Dot](/t/old/c/5)

Posted then', html = '<blockquote>
<p>words of five</p>
<p>— <a href="/t/old/c/5" rel="nofollow ugc noopener noreferrer">Dot</a></p>
</blockquote>
<p>Posted then</p>' WHERE id = 4;
INSERT INTO quotes VALUES (4, 5);
-- What each quote of a text takes from which comment, also by way of others. `place` counts the quotes of the text that
-- the comment had at `revision`. `lost`: the words were erased at their source, and are still to be erased here.
DROP TABLE quotes;
CREATE TABLE quotes (
    comment INTEGER NOT NULL REFERENCES comments (id),
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    source INTEGER NOT NULL REFERENCES comments (id),
    lost INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (comment, revision, place, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX quotes_source ON quotes (source, comment);
CREATE INDEX quotes_lost ON quotes (comment) WHERE lost;

-- Comments of before whose quotes are to be found anew, as their first owner starts.
CREATE TABLE unquoted (comment INTEGER PRIMARY KEY) STRICT;
INSERT INTO unquoted
SELECT id FROM comments WHERE html LIKE '%<blockquote>%'
UNION SELECT comment FROM revisions WHERE html LIKE '%<blockquote>%';

ALTER TABLE revisions ADD COLUMN format TEXT NOT NULL DEFAULT 'markdown' CHECK (format IN ('markdown', 'html'));

-- What takes more than one write, so that it is finished after a crash: an account's comments are to be erased
-- (erasure) or stamped (comments), or those that quote a comment are to be stamped (quotes). All up to the id `after`
-- are done.
CREATE TABLE unfinished (
    id INTEGER PRIMARY KEY,
    what TEXT NOT NULL CHECK (what IN ('erasure', 'comments', 'quotes')),
    subject INTEGER NOT NULL,
    after INTEGER NOT NULL DEFAULT 0
) STRICT;
-- Whoever reads with the keyboard must come to what is hidden: texts that were rendered before did not say so.
UPDATE comments SET html = replace(html, '<span class="spoiler">', '<span class="spoiler" tabindex="0">')
WHERE html LIKE '%<span class="spoiler">%';
UPDATE revisions SET html = replace(html, '<span class="spoiler">', '<span class="spoiler" tabindex="0">')
WHERE html LIKE '%<span class="spoiler">%';
COMMIT;
PRAGMA user_version = 6;
