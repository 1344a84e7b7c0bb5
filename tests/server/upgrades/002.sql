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
COMMIT;PRAGMA user_version = 2;
