-- Accounts are told as well what became of their held comments.
CREATE TABLE notices_now (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES accounts (id),
    comment INTEGER NOT NULL REFERENCES comments (id),
    kind TEXT NOT NULL CHECK (kind IN ('reply', 'mention', 'approved', 'rejected')),
    version INTEGER NOT NULL,
    UNIQUE (account, comment)
) STRICT;
INSERT INTO notices_now SELECT id, account, comment, kind, version FROM notices ORDER BY id;
DROP TABLE notices;
ALTER TABLE notices_now RENAME TO notices;
CREATE INDEX notices_version ON notices (account, version);
