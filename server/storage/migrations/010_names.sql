-- An account is found by its name, however it is cased. No name has a line end.
ALTER TABLE accounts RENAME COLUMN skeleton TO key;
UPDATE accounts SET key = char(10) || id;
UPDATE OR IGNORE accounts SET key = name_key(name) WHERE state = 'open';

-- Digests of what names look like: a new one must look like none that is had, or was. `account`: whose, null once it
-- was closed. Where two accounts of before look alike, both keep their names.
CREATE TABLE looks (
    look INTEGER PRIMARY KEY,
    account INTEGER REFERENCES accounts (id)
) STRICT;
CREATE INDEX looks_account ON looks (account);
INSERT OR IGNORE INTO looks
SELECT look.value, a.id FROM accounts a, json_each(name_skeletons(a.name)) look WHERE a.state = 'open' ORDER BY a.id;

-- Names that open accounts had before, by their keys: they lead to the person.
CREATE TABLE former_names (
    key TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_names_account ON former_names (account);

-- Whom the present text of a comment mentions.
CREATE TABLE mentions (
    comment INTEGER NOT NULL REFERENCES comments (id),
    account INTEGER NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (comment, account)
) STRICT, WITHOUT ROWID;
