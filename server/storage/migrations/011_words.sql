-- The search compares words (`server/words.py`) instead of parts of the Markdown. `searched.words` are the tokens of what
-- a comment says, and `place` its place in the order of time, so that the newest are found first. What is here already
-- is indexed step by step while the server runs; what disappears is out at once.
DROP TRIGGER comments_found;
DROP TRIGGER comments_lost_and_found;
DROP TABLE search;
CREATE TABLE searched (place INTEGER PRIMARY KEY, comment INTEGER NOT NULL UNIQUE, words TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = 'searched', content_rowid = 'place', tokenize = 'ascii', columnsize = 0
);
CREATE TRIGGER searched_lost AFTER DELETE ON searched BEGIN
    INSERT INTO search (search, rowid, words) VALUES ('delete', old.place, old.words);
END;
INSERT OR IGNORE INTO unindexed SELECT id FROM comments WHERE state = 'visible';
CREATE TRIGGER comments_found AFTER INSERT ON comments WHEN new.state = 'visible' BEGIN
    INSERT INTO unindexed VALUES (new.id);
END;
-- One trigger: the order of several is nobody's promise.
CREATE TRIGGER comments_lost_and_found AFTER UPDATE OF html, state ON comments
WHEN (old.state = 'visible' OR new.state = 'visible') AND (old.state <> new.state OR old.html <> new.html) BEGIN
    DELETE FROM searched WHERE comment = old.id;
    DELETE FROM unindexed WHERE comment = old.id;
    INSERT INTO unindexed SELECT new.id WHERE new.state = 'visible';
END;
