-- What takes more than one write, so that it is finished after a crash: an account's comments are to be erased
-- (erasure) or stamped (comments), or those that quote a comment are to be stamped (quotes). All up to the id `after`
-- are done.
CREATE TABLE unfinished (
    id INTEGER PRIMARY KEY,
    what TEXT NOT NULL CHECK (what IN ('erasure', 'comments', 'quotes')),
    subject INTEGER NOT NULL,
    after INTEGER NOT NULL DEFAULT 0
) STRICT;
