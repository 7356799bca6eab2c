-- The journal, version 1. Documented in docs/journal.md.
--
-- Rules for every later version: tables `meta` and `features` keep their form;
-- a migration only adds tables, indexes and columns that may be null or have a
-- default, so that an older tool's INSERTs and SELECTs, which name their
-- columns, go on working; anything else is a feature in the table below.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE features (
    name  TEXT PRIMARY KEY NOT NULL,
    class TEXT NOT NULL CHECK (class IN ('compatible', 'read-only-compatible', 'incompatible'))
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT, not only a primary key: without it SQLite gives the number of
-- a deleted newest row out again, and snapshots are named after numbers.
CREATE TABLE transactions (
    number             INTEGER PRIMARY KEY AUTOINCREMENT,
    profile            TEXT    NOT NULL,
    base               TEXT    NOT NULL,
    kind               TEXT    NOT NULL,
    state              TEXT    NOT NULL,
    state_before_undo  TEXT,
    command            TEXT    NOT NULL,
    user               TEXT,
    uid                INTEGER,
    front_end          TEXT    NOT NULL,
    owner_pid          INTEGER NOT NULL,
    owner_start_time   INTEGER NOT NULL,
    owner_pid_ns       INTEGER NOT NULL,
    owner_boot_id      TEXT    NOT NULL,
    owner_soft_reboots INTEGER NOT NULL,
    started            TEXT    NOT NULL,
    ended              TEXT,
    pre                TEXT,
    post               TEXT,
    problem            TEXT,
    unprotected_reason TEXT,
    attention          INTEGER NOT NULL DEFAULT 0,
    undoes             INTEGER REFERENCES transactions (number),
    undone_by          INTEGER REFERENCES transactions (number),
    noticed            TEXT    NOT NULL DEFAULT '[]',
    pinned             INTEGER NOT NULL DEFAULT 0,
    commits_begun      INTEGER NOT NULL DEFAULT 1,
    commits_ended      INTEGER NOT NULL DEFAULT 0,
    installed          INTEGER NOT NULL DEFAULT 0,
    upgraded           INTEGER NOT NULL DEFAULT 0,
    downgraded         INTEGER NOT NULL DEFAULT 0,
    removed            INTEGER NOT NULL DEFAULT 0,
    purged             INTEGER NOT NULL DEFAULT 0,
    reinstalled        INTEGER NOT NULL DEFAULT 0,
    configured         INTEGER NOT NULL DEFAULT 0,
    other_actions      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The number is part of every index: each lists newest first by itself.
CREATE INDEX transactions_by_profile ON transactions (profile);
CREATE INDEX transactions_open ON transactions (profile) WHERE state = 'open';
CREATE INDEX transactions_attention ON transactions (profile) WHERE attention = 1;
CREATE INDEX transactions_undoes ON transactions (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX transactions_undone_by ON transactions (undone_by) WHERE undone_by IS NOT NULL;
CREATE INDEX transactions_pinned ON transactions (profile) WHERE pinned = 1;

CREATE TABLE packages (
    txn          INTEGER NOT NULL REFERENCES transactions (number) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    architecture TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    old_version  TEXT,
    new_version  TEXT,
    auto_before  INTEGER,
    auto_after   INTEGER,
    status_after TEXT,
    PRIMARY KEY (txn, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX packages_by_name ON packages (name, txn);

CREATE TABLE conffiles (
    txn      INTEGER NOT NULL REFERENCES transactions (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path     BLOB    NOT NULL,
    package  TEXT,
    outcome  TEXT    NOT NULL,
    beside   BLOB,
    PRIMARY KEY (txn, position)
) STRICT, WITHOUT ROWID;

-- Lists of changed paths: whole, compressed, for `show` and `diff` when the
-- snapshots are gone ...
CREATE TABLE path_lists (
    txn      INTEGER PRIMARY KEY REFERENCES transactions (number) ON DELETE CASCADE,
    entries  INTEGER NOT NULL,
    -- how many of them have no attribution; null: not counted
    meanwhile INTEGER,
    encoding TEXT    NOT NULL,
    list     BLOB    NOT NULL
) STRICT;

-- ... and an index of them for `history --path`: a tree of names, each path
-- once whatever the number of transactions, and for every changed path *and
-- every directory above it* the transactions. A directory's history is then
-- one lookup, newest first, without reading any list.
CREATE TABLE path_names (
    id     INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL,
    name   BLOB    NOT NULL,
    UNIQUE (parent, name)
) STRICT;

CREATE TABLE path_changes (
    path INTEGER NOT NULL REFERENCES path_names (id),
    txn  INTEGER NOT NULL,
    PRIMARY KEY (path, txn)
) STRICT, WITHOUT ROWID;

-- Intents: what was begun and is not complete. A row is deleted when its
-- operation is complete; AUTOINCREMENT because boot.json names operations by
-- this number, and must never meet it again.
CREATE TABLE operations (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL,
    profile TEXT,
    txn     INTEGER,
    begun   TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT;

CREATE TABLE operation_steps (
    operation INTEGER NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    step      TEXT    NOT NULL,
    PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;
