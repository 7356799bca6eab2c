-- The journal, version 2: an undo may take several transactions back.

-- The transactions that an undo takes back, where they are more than the one in its row. They outlive the
-- redo, so that a redo can be taken back as well.
CREATE TABLE undone_sets (
    undo   INTEGER NOT NULL REFERENCES transactions (number) ON DELETE CASCADE,
    undone INTEGER NOT NULL REFERENCES transactions (number),
    PRIMARY KEY (undo, undone)
) STRICT, WITHOUT ROWID;
