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
