-- A comment is indexed with a word that stands for its thread, so that a search in one thread reads nothing of others.
-- What is here already is indexed again, step by step while the server runs.
DROP TRIGGER searched_lost;
DROP TABLE search;
DELETE FROM searched;
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = 'searched', content_rowid = 'place', tokenize = 'ascii', columnsize = 0
);
CREATE TRIGGER searched_lost AFTER DELETE ON searched BEGIN
    INSERT INTO search (search, rowid, words) VALUES ('delete', old.place, old.words);
END;
INSERT OR IGNORE INTO unindexed SELECT id FROM comments WHERE state = 'visible';
-- What the index holds, to look up the words that begin like one that is searched for. Keeps nothing itself.
CREATE VIRTUAL TABLE vocabulary USING fts5vocab ('search', 'instance');
