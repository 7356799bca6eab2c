"""A shell that stays inside a profile while the test looks from outside."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import time

from lib import expect
from lib.process import status_of, wait_until


class Session:
    """`run PROFILE -- sh`, fed line by line through a pipe."""

    def __init__(self, pool, profile="dev"):
        self.child = pool.start(profile, "sh", stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.say("true")

    def say(self, script):
        """Runs a piece of script inside and returns what it printed."""
        mark = f"--done-{time.monotonic_ns()}--"
        self.child.stdin.write(f"{script}\necho {mark}\n".encode())
        self.child.stdin.flush()
        text = b""
        while mark.encode() not in text:
            ready, _, _ = select.select([self.child.stdout], [], [], 120)
            chunk = os.read(self.child.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise expect.Failure(f"the session inside the profile ended: {text.decode(errors='replace')}")
            text += chunk
        return text.split(mark.encode())[0].decode(errors="replace")

    def close(self):
        self.child.stdin.close()
        self.child.wait(60)

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(60)


@contextlib.contextmanager
def inside(pool, profile="dev"):
    session = Session(pool, profile)
    try:
        yield session
    finally:
        if session.child.poll() is None:
            session.close()


def cut_undo(pool):
    """Undoes the newest transaction live and is killed at its last removal; recorded on a copy of `pool`."""
    traced = pool.copy("traced.img")
    with inside(traced) as session:
        session.say("FLIPPER_FAULT_TRACE=/var/tmp/trace flipper-profile --json --yes undo")
        effects = [line.split(" ", 2) for line in session.say("cat /var/tmp/trace").splitlines()]
    os.unlink(traced.image)
    number = [number for number, name, _ in effects if name == "remove"][-1]
    return f"FLIPPER_FAULT_AT={number} flipper-profile --json --yes undo"


class Terminal:
    """A program on a real pseudo terminal, to type at: Ctrl-C comes from the line discipline."""

    def __init__(self, argv, env):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                # Whoever started the tests in the background had these ignored, and a program keeps that.
                for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                    signal.signal(number, signal.SIG_DFL)
                os.execvpe(argv[0], argv, env)
            finally:
                os._exit(127)
        self.text = b""
        self.status = None

    def _read(self, limit):
        ready, _, _ = select.select([self.master], [], [], limit)
        if not ready:
            return False
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            chunk = b""
        self.text += chunk
        return bool(chunk)

    def wait_for(self, words, limit=60.0):
        deadline = time.monotonic() + limit
        while words.encode() not in self.text:
            if time.monotonic() > deadline or (not self._read(1.0) and self.ended()):
                raise expect.Failure(f"{words!r} never appeared on the terminal:\n{self.text.decode(errors='replace')}")

    def type(self, data):
        os.write(self.master, data)

    def ctrl_c(self):
        self.type(b"\x03")

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status_of(os.waitstatus_to_exitcode(status))
        return self.status is not None

    def finish(self, limit=60.0):
        """Reads to the end and returns the exit status."""
        def over():
            self._read(0.05)
            return self.ended()
        wait_until(over, limit, "end of the program on the terminal")
        os.close(self.master)
        return self.status
