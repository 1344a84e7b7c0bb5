-- How an account has pages shown, as JSON; what is not in it is as for everybody.
ALTER TABLE accounts ADD COLUMN appearance TEXT NOT NULL DEFAULT '{}';
