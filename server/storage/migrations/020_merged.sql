-- The thread that this one went into; its key leads there from then on.
ALTER TABLE threads ADD COLUMN merged INTEGER REFERENCES threads (id);
CREATE INDEX threads_merged ON threads (merged) WHERE merged IS NOT NULL;
