-- All that a ranking asks of a thread's roots, without their rows, whose texts lie between.
CREATE INDEX comments_ranked
ON comments (thread, parent, placed, id, shown, state, below, base_up, up, base_down, down) WHERE parent IS NULL;
