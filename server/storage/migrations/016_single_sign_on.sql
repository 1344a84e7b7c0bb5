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
