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
