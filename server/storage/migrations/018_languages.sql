-- The language that an account has chosen to read, by its tag; '' for what its browser asks for.
ALTER TABLE accounts ADD COLUMN language TEXT NOT NULL DEFAULT '';
