-- What each quote of a text takes from which comment, also by way of others. `place` counts the quotes of the text that
-- the comment had at `revision`. `lost`: the words were erased at their source, and are still to be erased here.
DROP TABLE quotes;
CREATE TABLE quotes (
    comment INTEGER NOT NULL REFERENCES comments (id),
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    source INTEGER NOT NULL REFERENCES comments (id),
    lost INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (comment, revision, place, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX quotes_source ON quotes (source, comment);
CREATE INDEX quotes_lost ON quotes (comment) WHERE lost;

-- Comments of before whose quotes are to be found anew, as their first owner starts.
CREATE TABLE unquoted (comment INTEGER PRIMARY KEY) STRICT;
INSERT INTO unquoted
SELECT id FROM comments WHERE html LIKE '%<blockquote>%'
UNION SELECT comment FROM revisions WHERE html LIKE '%<blockquote>%';

ALTER TABLE revisions ADD COLUMN format TEXT NOT NULL DEFAULT 'markdown' CHECK (format IN ('markdown', 'html'));
