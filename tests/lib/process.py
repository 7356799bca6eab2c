"""Start programs and end everything a test started."""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Output:
    """What a program left behind: exit status (128+n for a signal), stdout and stderr as bytes."""

    argv: list
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self):
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self):
        return self.stderr.decode("utf-8", "replace")

    def __str__(self):
        shown = " ".join(str(a) for a in self.argv)
        return f"$ {shown}\nexit {self.status}\n--- stdout\n{self.text[-4000:]}\n--- stderr\n{self.errors[-4000:]}"


def status_of(returncode):
    return 128 - returncode if returncode < 0 else returncode


def run(*argv, input=None, env=None, timeout=600, cwd=None):
    """Runs a program to its end; never raises for its exit status."""
    stdin = None if input is not None else subprocess.DEVNULL
    done = subprocess.run(
        [os.fspath(a) for a in argv], input=input, stdin=stdin, env=env, cwd=cwd,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
    )
    return Output(list(argv), status_of(done.returncode), done.stdout, done.stderr)


def run_ok(*argv, **options):
    """Runs a program of the system that the test itself depends on; its failure is the harness's."""
    output = run(*argv, **options)
    if output.status != 0:
        raise RuntimeError(f"helper program failed\n{output}")
    return output


def become_subreaper():
    """Orphans of this process come to it, so that `end_descendants` finds them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children_by_parent():
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                rest = f.read().rpartition(b")")[2].split()
        except OSError:
            continue
        table.setdefault(int(rest[1]), []).append(int(name))
    return table


def descendants(root=None):
    table, found, queue = children_by_parent(), [], [root or os.getpid()]
    while queue:
        for child in table.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def kill_descendants():
    """Kills every process below this one; one may go with another before its turn comes."""
    for pid in descendants():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_descendants(limit=10.0):
    """Kills every process below this one until none is left; returns those that would not go."""
    deadline = time.monotonic() + limit
    while True:
        alive = descendants()
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
                os.kill(pid, signal.SIGCONT)
            except OSError:
                pass
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        alive = descendants()
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)


def wait_until(condition, limit=20.0, what="condition"):
    """Polls until `condition()` is true; a test never sleeps a fixed time."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit:.0f} s")
        time.sleep(0.02)
