-- `placed`: the time, in milliseconds, by which a comment is ordered, given once; between equals its id decides. Of what
-- was imported, when it was written; of what is posted, never before anything that was posted earlier, nor before what
-- its thread held: `clock.latest` is the latest time that something was posted at, and never goes back.
-- `arrived`: the version with which a comment was first shown. Of what is here already, the latest that it can have been.
ALTER TABLE comments ADD COLUMN placed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE comments ADD COLUMN arrived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN latest INTEGER NOT NULL DEFAULT 0;
UPDATE comments SET placed = k.placed, arrived = k.arrived FROM (
    SELECT id,
        iif(
            source IS NOT NULL,
            created,
            max(max(created) FILTER (WHERE source IS NULL) OVER (ORDER BY id),
                max(created) OVER (PARTITION BY thread ORDER BY id))
        ) AS placed,
        min(version) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS arrived
    FROM comments
) AS k WHERE k.id = comments.id;
UPDATE clock SET latest = coalesce((SELECT max(created) FROM comments WHERE source IS NULL), 0);

DROP INDEX comments_tree;
DROP INDEX comments_thread;
CREATE INDEX comments_tree ON comments (thread, parent, placed);
CREATE INDEX comments_thread ON comments (thread, placed);
CREATE INDEX comments_latest ON comments (placed) WHERE state = 'visible';
CREATE INDEX comments_latest_of ON comments (author, placed) WHERE state = 'visible';

UPDATE threads SET active = coalesce(
    (SELECT max(placed) FROM comments WHERE thread = threads.id AND state = 'visible'), created
);
