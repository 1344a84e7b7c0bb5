-- Whose account somebody has who wrote elsewhere: by the system, the site there, and the id there.
CREATE TABLE people (
    source TEXT NOT NULL,
    site TEXT NOT NULL,
    person TEXT NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (source, site, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_account ON people (account);
CREATE INDEX threads_url ON threads (url) WHERE url <> '';
