-- What concerns an account alone: the version at which its bell last rang, and at which a session of it last ended.
ALTER TABLE accounts ADD COLUMN bell INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
CREATE INDEX accounts_bell ON accounts (bell);
CREATE INDEX accounts_ended ON accounts (ended);
