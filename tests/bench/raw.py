"""The raw operations that our costs are held against: snapshot ioctls, an exchange, durable commits."""

import contextlib
import ctypes
import fcntl
import os
import sqlite3
import struct
import threading

from bench import timing

SNAP_CREATE_V2 = 0x50009417  # _IOW(0x94, 23, struct btrfs_ioctl_vol_args_v2), 4096 bytes
SUBVOL_RDONLY = 1 << 1
AT_FDCWD = -100
RENAME_EXCHANGE = 2


def snapshot(source, directory, name, read_only=True):
    """One BTRFS_IOC_SNAP_CREATE_V2, without a process."""
    source_fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A bytearray: Python copies immutable arguments into a buffer of 1024 bytes.
        arguments = bytearray(struct.pack("=QQQ4Q4040s", source_fd, 0, SUBVOL_RDONLY if read_only else 0, 0, 0, 0, 0,
                                          name.encode()))
        fcntl.ioctl(directory_fd, SNAP_CREATE_V2, arguments)
    finally:
        os.close(source_fd)
        os.close(directory_fd)


def exchange(one, other):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


class DurableJournal:
    """A SQLite database with the same safety settings as ours."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, text TEXT)")

    def commit(self):
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute("INSERT INTO t (text) VALUES ('apt-get install something')")
        self.connection.execute("COMMIT")

    def close(self):
        self.connection.close()


# What apt runs where our hooks are: it asks, and waits until the operation is done. /data is the one directory
# that the profile and the mounted pool have in common.
ASKING = """DPkg::Pre-Invoke:: "echo pre > /data/raw.ask; read answer < /data/raw.answer";
DPkg::Post-Invoke:: "echo post > /data/raw.ask; read answer < /data/raw.answer";
"""


@contextlib.contextmanager
def where_apt_asks(top, operations):
    """Does `operations[name]` whenever apt asks for it; gives a dictionary of the seconds that the last of each took.

    The snapshot is made where a hook makes it, of a filesystem as busy as dpkg has left it, and nothing but the
    operation is timed: no process, no namespace, no mount.
    """
    ask, answer = f"{top}/@data/raw.ask", f"{top}/@data/raw.answer"
    os.mkfifo(ask)
    os.mkfifo(answer)
    took = {}

    def serve():
        while (name := _read(ask)) != "end":
            # An operation that fails leaves no time behind, which the test misses; apt must not wait for it.
            with contextlib.suppress(OSError, sqlite3.Error):
                took[name] = timing.seconds(operations[name])
            _write(answer, "done")
    server = threading.Thread(target=serve)
    server.start()
    try:
        yield took
    finally:
        _write(ask, "end")
        server.join()
        os.unlink(ask)
        os.unlink(answer)


def _read(fifo):
    with open(fifo, encoding="ascii") as f:
        return f.read().strip()


def _write(fifo, word):
    with open(fifo, "w", encoding="ascii") as f:
        f.write(f"{word}\n")
