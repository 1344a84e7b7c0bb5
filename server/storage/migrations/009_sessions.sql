-- A session has a number, by which its owner ends it, and says in which browser it is. Those that nobody used for long
-- are found by `seen`, those that began long ago by `created` (milliseconds).
CREATE TABLE sessions_now (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (id),
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    browser TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO sessions_now (token_hash, account, created, seen)
SELECT token_hash, account, created, seen FROM sessions ORDER BY created;
DROP TABLE sessions;
ALTER TABLE sessions_now RENAME TO sessions;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_seen ON sessions (seen);
CREATE INDEX sessions_created ON sessions (created);

-- How many attempts to log in are left, by a keyed hash of whom they concern: full again, a row is swept.
CREATE TABLE attempts (
    who BLOB PRIMARY KEY,
    remaining REAL NOT NULL,
    at INTEGER NOT NULL,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_full ON attempts (full_at);
