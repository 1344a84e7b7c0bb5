-- What is owed and goes on beside requests, one job a row. `progress`: how far it has come, in the kind's own terms.
-- `due`: not before this time, in milliseconds; 0: at once. `leased`: somebody works at it until then. `attempts` that
-- failed since it last came further, and the `error` of the last.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject INTEGER NOT NULL,
    progress INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,
    leased INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX jobs_due ON jobs (due);
CREATE INDEX jobs_subject ON jobs (subject, kind);
INSERT INTO jobs (kind, subject, progress)
SELECT CASE what WHEN 'erasure' THEN 'erase account' WHEN 'comments' THEN 'stamp account' ELSE 'stamp quotes' END,
    subject, after
FROM unfinished ORDER BY id;
DROP TABLE unfinished;
