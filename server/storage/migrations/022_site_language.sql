-- The language of a site's threads for readers who ask for none that is offered; '' is the server's first.
ALTER TABLE sites ADD COLUMN language TEXT NOT NULL DEFAULT '';
