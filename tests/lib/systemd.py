"""systemd as number 1 of a container whose root is an entered profile's own tree: a profile with services."""

import contextlib
import os
import signal

from lib import expect
from lib.process import run, wait_until

# The control group first, while /sys is still the host's: systemd must not take the host's own processes over.
# No network but a loopback of its own, and no namespace of the machine's.
BOOT = """
set -e
mkdir -p /run/cg
mount -t cgroup2 none /run/cg
mkdir /run/cg/{group}
echo $$ > /run/cg/{group}/cgroup.procs
exec unshare --mount --pid --cgroup --ipc --uts --net --fork --kill-child --propagation private sh -ec '
    mount -t proc proc /proc
    umount /run/cg
    mount -t cgroup2 none /sys/fs/cgroup
    rm -f /run/flipper-profile/entered
    exec env -i container=flipper PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd'
"""


class Machine:
    """A running system in the profile; `pid` is systemd's, as the host sees it."""

    def __init__(self, pool, profile):
        self.group = f"flipper-test-{os.getpid()}"
        script = BOOT.format(group=self.group)
        self.child = pool.start(profile, "sh", "-c", script)
        self.pid = wait_until(self._first_process, 60, "systemd")
        wait_until(lambda: self.systemctl("is-system-running").text.strip() in ("running", "degraded"), 120,
                   "the end of the boot")

    def _first_process(self):
        """systemd under our own session: the number 1 of its namespace, in our control group."""
        if self.child.poll() is not None:
            raise expect.Failure(f"systemd did not start: {self.child.stderr.read().decode(errors='replace')}")
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/comm", encoding="ascii", errors="replace") as comm:
                    program = comm.read().strip()
                with open(f"/proc/{name}/status", encoding="ascii", errors="replace") as status:
                    numbers = next(line for line in status if line.startswith("NSpid:")).split()
                with open(f"/proc/{name}/cgroup", encoding="ascii", errors="replace") as groups:
                    ours = f"/{self.group}/" in groups.read()
                if program == "systemd" and numbers[-1] == "1" and ours:
                    return int(name)
        return None

    def run(self, *argv, **options):
        return run("nsenter", f"--target={self.pid}", "--mount", "--pid", "--cgroup", "--net", "--uts", "--ipc", "--",
                   *argv, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
                               "DEBIAN_FRONTEND": "noninteractive"}, **options)

    def ok(self, *argv, **options):
        return expect.status(self.run(*argv, **options), 0)

    def shell(self, script, **options):
        return self.ok("sh", "-ec", script, **options).text

    def systemctl(self, *argv):
        return self.run("systemctl", "--no-pager", *argv)

    def is_active(self, unit):
        return self.systemctl("is-active", unit).text.strip()

    def main_pid(self, unit):
        return int(self.systemctl("show", "--property=MainPID", "--value", unit).text)

    def close(self):
        if self.child.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.child.communicate(timeout=60)
        _remove_groups(self.group)


def _remove_groups(group):
    """The control groups that systemd made below ours; they are empty once it has ended."""
    base = next((path for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if os.path.isdir(f"{path}/{group}")), None)
    if base is None:
        return
    for directory, _, _ in os.walk(f"{base}/{group}", topdown=False):
        wait_until(lambda directory=directory: _removed(directory), 10, f"the end of {directory}")


def _removed(directory):
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


@contextlib.contextmanager
def machine(pool, profile="dev"):
    running = Machine(pool, profile)
    try:
        yield running
    finally:
        running.close()
