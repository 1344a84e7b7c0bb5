-- Of which kind an account is: `local` ones log in here by a password, `imported` ones stand for somebody who wrote
-- elsewhere. Until now the latter were those without a password.
ALTER TABLE accounts ADD COLUMN kind TEXT NOT NULL DEFAULT 'local' CHECK (kind IN ('local', 'imported'));
UPDATE accounts SET kind = 'imported' WHERE password IS NULL AND state = 'open';

-- An address that a browser may read as another than it seems leads nowhere: see server/urls.py.
UPDATE threads SET url = '' WHERE url <> '' AND (
    url GLOB '*[' || char(92) || char(1) || '-' || char(32) || char(127) || ']*'
    OR NOT (url LIKE 'http://_%' OR url LIKE 'https://_%' OR (url LIKE '/%' AND url NOT LIKE '//%'))
    OR (url LIKE '%://%' AND url NOT LIKE '/%' AND instr(
        substr(url, instr(url, '://') + 3, instr(substr(url, instr(url, '://') + 3) || '/', '/') - 1), '@'
    ) > 0)
);
