-- The journal, version 3: retention. Documented in docs/journal.md.

-- When retention deleted the snapshots; null: it did not.
ALTER TABLE transactions ADD COLUMN files_gone TEXT;

-- What retention goes through: the transactions that still have snapshots.
CREATE INDEX transactions_with_snapshots ON transactions (profile)
    WHERE pre IS NOT NULL OR post IS NOT NULL;

-- What the snapshots of a transaction hold and nothing newer does. Only a
-- cache: `measured` names what was measured, and what does not match is
-- measured again.
CREATE TABLE snapshot_sizes (
    txn     INTEGER PRIMARY KEY REFERENCES transactions (number) ON DELETE CASCADE,
    measured TEXT   NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT;
