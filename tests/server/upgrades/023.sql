BEGIN TRANSACTION;
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    password TEXT,
    role TEXT NOT NULL DEFAULT 'reader' CHECK (role IN ('reader', 'moderator', 'staff')),
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    created INTEGER NOT NULL
, bell INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0, heard INTEGER NOT NULL DEFAULT 0, feed TEXT, banned INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT 'local' CHECK (kind IN ('local', 'imported'))) STRICT;
INSERT INTO accounts VALUES (1, 'Ana', 'ana', NULL, 'reader', 'open', 1795502874761, 0, 0, 0, NULL, 0, 'imported');
INSERT INTO accounts VALUES (2, 'Bo', 'bo', NULL, 'reader', 'open', 1795502874762, 0, 0, 0, NULL, 0, 'imported');
INSERT INTO accounts VALUES (3, 'Keeper', 'keeper', '$argon2id$v=19$m=19456,t=2,p=1$aPKDYzBaEMsHzoClU33wcA$J4lUJ5ZJ1V+wigs7c8FZHqfd+gzTJeiLl233yZ8/kcM', 'staff', 'open', 1795502875138, 0, 0, 0, NULL, 0, 'local');
INSERT INTO accounts VALUES (4, 'Dot', 'dot', '$argon2id$v=19$m=19456,t=2,p=1$HaKdD6+dRtszhkVgzpqocQ$EPvL0XdH+6hUxPHYyiRCxz26yuEKVs9Zqh4svKR9m8k', 'reader', 'open', 1795502875387, 0, 0, 0, NULL, 0, 'local');
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    epoch TEXT NOT NULL
, latest INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO clock VALUES (1, 6, 'IowWFxpH888l', 1795502875403);
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
, below INTEGER NOT NULL DEFAULT 0, replies INTEGER NOT NULL DEFAULT 0, ended INTEGER, placed INTEGER NOT NULL DEFAULT 0, arrived INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO comments VALUES (1, 1, NULL, 0, 1, NULL, NULL, 'jsonl:a', 'visible', 1, 'An **old** comment', '<p>An <strong>old</strong> comment</p>', 'markdown', 1, 3, 0, 0, 0, 1700000000000, NULL, 4, 2, 1, NULL, 1700000000000, 1);
INSERT INTO comments VALUES (2, 1, 1, 1, NULL, NULL, NULL, 'jsonl:b', 'removed', 1, '', '', 'markdown', 1, 0, 0, 0, 0, 1700000060000, NULL, 1, 1, 1, NULL, 1700000060000, 1);
INSERT INTO comments VALUES (3, 1, 2, 2, 2, NULL, NULL, 'jsonl:c', 'visible', 1, '> An old comment

No.', '<blockquote>
<p>An old comment</p>
</blockquote>
<p>No.</p>', 'markdown', 1, 0, 1, 0, 0, 1700000120000, 1700000180000, 1, 0, 0, NULL, 1700000120000, 1);
INSERT INTO comments VALUES (4, 1, 1, 1, 4, 'nnnnnnnnnnnnnnnnnnnn', X'6A3E49814B7269DA32652120C72F04B0A3AA5BF3400D15BDF40484FF37BFCC23', NULL, 'visible', 1, '> What was quoted here is gone.

Posted then', '<blockquote>
<p>What was quoted here is gone.</p>
</blockquote>
<p>Posted then</p>', 'markdown', 1, 0, 0, 0, 0, 1795502875397, NULL, 4, 0, 0, NULL, 1795502875397, 4);
INSERT INTO comments VALUES (5, 1, NULL, 0, 4, 'mmmmmmmmmmmmmmmmmmmm', X'C139ED78EF9B6737B3B934B58B36813AFAF3ABB70CDB1BDA722D1BA460229526', NULL, 'deleted', 1, '', '', 'markdown', 1, 0, 0, 0, 0, 1795502875403, NULL, 6, 0, 0, NULL, 1795502875403, 6);
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
INSERT INTO threads VALUES (1, 'old', 'From before', '', '', 1, 0, 6, 3, 1795502874761, 1795502875397);
CREATE TABLE revisions (
    comment INTEGER NOT NULL REFERENCES comments (id),
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    replaced INTEGER NOT NULL, format TEXT NOT NULL DEFAULT 'markdown' CHECK (format IN ('markdown', 'html')),
    PRIMARY KEY (comment, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE votes (
    comment INTEGER NOT NULL REFERENCES comments (id),
    account INTEGER NOT NULL REFERENCES accounts (id),
    value INTEGER NOT NULL CHECK (value IN (-1, 0, 1)),
    folded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (comment, account)
) STRICT, WITHOUT ROWID;
CREATE TABLE visits (
    account INTEGER NOT NULL REFERENCES accounts (id),
    thread INTEGER NOT NULL REFERENCES threads (id),
    comment INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, thread)
) STRICT, WITHOUT ROWID;
CREATE TABLE unindexed (comment INTEGER PRIMARY KEY) STRICT;
INSERT INTO unindexed VALUES (1);
INSERT INTO unindexed VALUES (3);
INSERT INTO unindexed VALUES (4);
CREATE TABLE quotes (
    comment INTEGER NOT NULL REFERENCES comments (id),
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    source INTEGER NOT NULL REFERENCES comments (id),
    lost INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (comment, revision, place, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE unquoted (comment INTEGER PRIMARY KEY) STRICT;
CREATE TABLE unfinished (
    id INTEGER PRIMARY KEY,
    what TEXT NOT NULL CHECK (what IN ('erasure', 'comments', 'quotes')),
    subject INTEGER NOT NULL,
    after INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE people (
    source TEXT NOT NULL,
    site TEXT NOT NULL,
    person TEXT NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (source, site, person)
) STRICT, WITHOUT ROWID;
CREATE TABLE "sessions" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (id),
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    browser TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO sessions VALUES (1, X'AA', 3, 1, 1, '');
INSERT INTO sessions VALUES (2, X'BB', 3, 1795502875138, 1795502875138, '');
INSERT INTO sessions VALUES (3, X'819A07A2A58A5B40C9957328DE4E79C483A7C7DDC18EAEA80A9F5100EB56C08E', 4, 1795502875389, 1795502875389, '');
CREATE TABLE attempts (
    who BLOB PRIMARY KEY,
    remaining REAL NOT NULL,
    at INTEGER NOT NULL,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE looks (
    look INTEGER PRIMARY KEY,
    account INTEGER REFERENCES accounts (id)
) STRICT;
INSERT INTO looks VALUES (-4043006350033214260, 2);
INSERT INTO looks VALUES (-710358653992199346, 3);
INSERT INTO looks VALUES (-429936551605138128, 4);
INSERT INTO looks VALUES (2673169044472470076, 1);
CREATE TABLE former_names (
    key TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE mentions (
    comment INTEGER NOT NULL REFERENCES comments (id),
    account INTEGER NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (comment, account)
) STRICT, WITHOUT ROWID;
CREATE TABLE searched (place INTEGER PRIMARY KEY, comment INTEGER NOT NULL UNIQUE, words TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = 'searched', content_rowid = 'place', tokenize = 'ascii', columnsize = 0
);
CREATE TABLE "notices" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts (id),
    comment INTEGER NOT NULL REFERENCES comments (id),
    kind TEXT NOT NULL CHECK (kind IN ('reply', 'mention', 'approved', 'rejected')),
    version INTEGER NOT NULL,
    UNIQUE (account, comment)
) STRICT;
INSERT INTO sqlite_sequence VALUES ('comments', 5);
INSERT INTO sqlite_sequence VALUES ('sessions', 3);
INSERT INTO sqlite_sequence VALUES ('notices', 0);
CREATE INDEX threads_active ON threads (active);
CREATE INDEX threads_version ON threads (version);
CREATE INDEX comments_changes ON comments (thread, version);
CREATE UNIQUE INDEX comments_nonce ON comments (author, nonce);
CREATE UNIQUE INDEX comments_source ON comments (thread, source) WHERE source IS NOT NULL;
CREATE INDEX accounts_bell ON accounts (bell);
CREATE INDEX accounts_ended ON accounts (ended);
CREATE INDEX comments_author ON comments (author);
CREATE INDEX comments_removed ON comments (ended) WHERE state = 'removed';
CREATE INDEX comments_pending ON comments (thread) WHERE state = 'pending';
CREATE INDEX votes_unfolded ON votes (comment) WHERE value <> folded;
CREATE INDEX votes_account ON votes (account, comment);
CREATE UNIQUE INDEX accounts_feed ON accounts (feed) WHERE feed IS NOT NULL;
CREATE INDEX quotes_source ON quotes (source, comment);
CREATE INDEX quotes_lost ON quotes (comment) WHERE lost;
CREATE INDEX people_account ON people (account);
CREATE INDEX threads_url ON threads (url) WHERE url <> '';
CREATE INDEX comments_tree ON comments (thread, parent, placed);
CREATE INDEX comments_thread ON comments (thread, placed);
CREATE INDEX comments_latest ON comments (placed) WHERE state = 'visible';
CREATE INDEX comments_latest_of ON comments (author, placed) WHERE state = 'visible';
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_seen ON sessions (seen);
CREATE INDEX sessions_created ON sessions (created);
CREATE INDEX attempts_full ON attempts (full_at);
CREATE INDEX looks_account ON looks (account);
CREATE INDEX former_names_account ON former_names (account);
CREATE TRIGGER searched_lost AFTER DELETE ON searched BEGIN
    INSERT INTO search (search, rowid, words) VALUES ('delete', old.place, old.words);
END;
CREATE TRIGGER comments_found AFTER INSERT ON comments WHEN new.state = 'visible' BEGIN
    INSERT INTO unindexed VALUES (new.id);
END;
CREATE TRIGGER comments_lost_and_found AFTER UPDATE OF html, state ON comments
WHEN (old.state = 'visible' OR new.state = 'visible') AND (old.state <> new.state OR old.html <> new.html) BEGIN
    DELETE FROM searched WHERE comment = old.id;
    DELETE FROM unindexed WHERE comment = old.id;
    INSERT INTO unindexed SELECT new.id WHERE new.state = 'visible';
END;
CREATE INDEX notices_version ON notices (account, version);
COMMIT;
-- What is owed and goes on beside requests, one job a row. `progress`: how far it has come, in the kind's own terms.
-- `due`: not before this time, in milliseconds; 0: at once. `leased`: somebody works at it until then. `attempts` that
-- failed since it last came further, and the `error` of the last.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject INTEGER NOT NULL,
    progress INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,
    leased INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX jobs_due ON jobs (due);
CREATE INDEX jobs_subject ON jobs (subject, kind);
INSERT INTO jobs (kind, subject, progress)
SELECT CASE what WHEN 'erasure' THEN 'erase account' WHEN 'comments' THEN 'stamp account' ELSE 'stamp quotes' END,
    subject, after
FROM unfinished ORDER BY id;
DROP TABLE unfinished;
PRAGMA user_version = 14;

-- Sites whose pages show threads of ours. `host`: where its first origin is; addresses there have the shortest keys.
-- `keep_query` and `logins` are names joined by spaces. `is_setting`: it stands in LIVETHREAD_SITES and goes with it.
CREATE TABLE sites (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    keep_query TEXT NOT NULL DEFAULT '',
    logins TEXT NOT NULL DEFAULT 'password',
    moderates INTEGER NOT NULL DEFAULT 0,
    theme TEXT NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    is_setting INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
-- The pages of this server.
INSERT INTO sites (id, name, host) VALUES ('own', '', '');

CREATE TABLE site_origins (
    origin TEXT PRIMARY KEY,
    site TEXT NOT NULL REFERENCES sites (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX site_origins_site ON site_origins (site);

-- All that there was belongs to this server's own pages.
ALTER TABLE threads ADD COLUMN site TEXT NOT NULL DEFAULT 'own';
CREATE INDEX threads_site ON threads (site, active);

-- Which thread a page has whose address does not tell it by the rule: in its normal form, within a site.
CREATE TABLE aliases (
    site TEXT NOT NULL REFERENCES sites (id),
    address TEXT NOT NULL,
    thread INTEGER NOT NULL REFERENCES threads (id),
    PRIMARY KEY (site, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_thread ON aliases (thread);

-- Where a session counts, and whether its owner moderates there.
ALTER TABLE sessions ADD COLUMN site TEXT NOT NULL DEFAULT 'own';
ALTER TABLE sessions ADD COLUMN moderates INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_site ON sessions (site) WHERE site <> 'own';

-- The site where the account is a guest: a name alone, which nobody can log in to.
ALTER TABLE accounts ADD COLUMN guest_of TEXT;

PRAGMA user_version = 15;

-- Keys by which a site signs who its readers are: of HS256 the secret in base64url, of the others a public key as JWK.
CREATE TABLE site_keys (
    site TEXT NOT NULL REFERENCES sites (id),
    id TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('HS256', 'EdDSA', 'ES256')),
    material TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (site, id)
) STRICT, WITHOUT ROWID;

-- Statements that were used, which count once; `until`: when they end by themselves, in unix milliseconds.
CREATE TABLE used_statements (
    issuer TEXT NOT NULL,
    id TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (issuer, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_statements_until ON used_statements (until);

-- Who an account is elsewhere. `issuer`: who says so, `site:ID` for a site. `name`: as it was said at last.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_account ON identities (account);

-- Whether the site says that the session's owner moderates there.
ALTER TABLE sessions ADD COLUMN appointed INTEGER NOT NULL DEFAULT 0;

-- What the newest statement said of a person; `stated`: when that was made, in unix seconds.
ALTER TABLE identities ADD COLUMN moderates INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identities ADD COLUMN stated INTEGER NOT NULL DEFAULT 0;
UPDATE identities SET moderates = 1 WHERE EXISTS (
    SELECT 1 FROM sessions s
    WHERE s.account = identities.account AND 'site:' || s.site = identities.issuer AND s.appointed
);

-- Whether a statement of the site began the session. What it may do there, the newest statement says.
ALTER TABLE sessions ADD COLUMN signed INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET signed = 1 WHERE EXISTS (
    SELECT 1 FROM identities i WHERE i.account = sessions.account AND i.issuer = 'site:' || sessions.site
);
ALTER TABLE sessions DROP COLUMN appointed;

-- When people logged out (`at`, unix seconds): statements made until then count no more. `until`: when none is left, in
-- unix milliseconds.
CREATE TABLE logouts (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX logouts_until ON logouts (until);

PRAGMA user_version = 17;

-- The language that an account has chosen to read, by its tag; '' for what its browser asks for.
ALTER TABLE accounts ADD COLUMN language TEXT NOT NULL DEFAULT '';

PRAGMA user_version = 18;

-- Pictures that people gave themselves: small WebP files. `hash`: of the content, and a part of its address.
CREATE TABLE pictures (
    account INTEGER PRIMARY KEY REFERENCES accounts (id),
    hash TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX pictures_hash ON pictures (hash);

-- The picture that is shown: the account's own; none while the setting is off.
ALTER TABLE accounts ADD COLUMN picture TEXT;

PRAGMA user_version = 19;

-- The thread that this one went into; its key leads there from then on.
ALTER TABLE threads ADD COLUMN merged INTEGER REFERENCES threads (id);
CREATE INDEX threads_merged ON threads (merged) WHERE merged IS NOT NULL;

-- How an account has pages shown, as JSON; what is not in it is as for everybody.
ALTER TABLE accounts ADD COLUMN appearance TEXT NOT NULL DEFAULT '{}';

-- The language of a site's threads for readers who ask for none that is offered; '' is the server's first.
ALTER TABLE sites ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- A comment is indexed with a word that stands for its thread, so that a search in one thread reads nothing of others.
-- What is here already is indexed again, step by step while the server runs.
DROP TRIGGER searched_lost;
DROP TABLE search;
DELETE FROM searched;
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = 'searched', content_rowid = 'place', tokenize = 'ascii', columnsize = 0
);
CREATE TRIGGER searched_lost AFTER DELETE ON searched BEGIN
    INSERT INTO search (search, rowid, words) VALUES ('delete', old.place, old.words);
END;
INSERT OR IGNORE INTO unindexed SELECT id FROM comments WHERE state = 'visible';
-- What the index holds, to look up the words that begin like one that is searched for. Keeps nothing itself.
CREATE VIRTUAL TABLE vocabulary USING fts5vocab ('search', 'instance');

PRAGMA user_version = 23;
