-- Pictures that people gave themselves: small WebP files. `hash`: of the content, and a part of its address.
CREATE TABLE pictures (
    account INTEGER PRIMARY KEY REFERENCES accounts (id),
    hash TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX pictures_hash ON pictures (hash);

-- The picture that is shown: the account's own; none while the setting is off.
ALTER TABLE accounts ADD COLUMN picture TEXT;
