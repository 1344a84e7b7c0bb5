CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    epoch TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    skeleton TEXT NOT NULL UNIQUE,
    password TEXT,
    role TEXT NOT NULL DEFAULT 'reader' CHECK (role IN ('reader', 'moderator', 'staff')),
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts (id),
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_account ON sessions (account);

CREATE TABLE threads (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL DEFAULT '',
    url TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL DEFAULT '',
    author INTEGER REFERENCES accounts (id),
    locked INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0,
    comments INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    active INTEGER NOT NULL
) STRICT;
CREATE INDEX threads_active ON threads (active);
CREATE INDEX threads_version ON threads (version);

CREATE TABLE comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    thread INTEGER NOT NULL REFERENCES threads (id),
    parent INTEGER REFERENCES comments (id),
    depth INTEGER NOT NULL,
    author INTEGER REFERENCES accounts (id),
    nonce TEXT,
    request_hash BLOB,
    source TEXT,
    state TEXT NOT NULL CHECK (state IN ('visible', 'pending', 'removed', 'deleted')),
    shown INTEGER NOT NULL,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    format TEXT NOT NULL DEFAULT 'markdown' CHECK (format IN ('markdown', 'html')),
    revision INTEGER NOT NULL DEFAULT 1,
    base_up INTEGER NOT NULL DEFAULT 0,
    base_down INTEGER NOT NULL DEFAULT 0,
    up INTEGER NOT NULL DEFAULT 0,
    down INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    edited INTEGER,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_changes ON comments (thread, version);
CREATE INDEX comments_tree ON comments (thread, parent);
CREATE INDEX comments_replies ON comments (parent, state);
CREATE UNIQUE INDEX comments_nonce ON comments (author, nonce);
CREATE UNIQUE INDEX comments_source ON comments (thread, source) WHERE source IS NOT NULL;
