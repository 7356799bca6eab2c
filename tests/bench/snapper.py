"""Debian's snapper with its own apt hook, in a writable copy of the same base on the same pool."""

import contextlib
import os

from lib.mounts import unmount_below
from lib.process import end_descendants, run, run_ok


class Snapper:
    """A chroot on a subvolume of its own, mounted as the root of the system that snapper sees."""

    def __init__(self, root):
        self.root = root

    def inside(self, *command, hook=True, check=True):
        call = run_ok if check else run
        # The hook reads this file; the file wins over the environment.
        with open(f"{self.root}/etc/default/snapper", "w", encoding="ascii") as f:
            f.write(f"DISABLE_APT_SNAPSHOT=\"{'no' if hook else 'yes'}\"\n")
        return call("chroot", self.root, "env", "-i", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8",
                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command)

    def time_hooks(self, times):
        """Has its hooks note into a file how long they take."""
        place = "/etc/apt/apt.conf.d/80snapper"
        lines = self.inside("apt-config", "dump", "DPkg").text.splitlines()
        with open(self.root + place, "w", encoding="ascii") as conf:
            for name in ("pre", "post"):
                key = f"DPkg::{name.capitalize()}-Invoke:: "
                called = [line[len(key):].strip('";').replace('\\"', '"') for line in lines if line.startswith(key)]
                called = [command for command in called if "snapper" in command]
                program = f"/usr/local/sbin/snapper-{name}"
                with open(self.root + program, "w", encoding="ascii") as script:
                    script.write("#!/bin/bash\nbegun=$EPOCHREALTIME\n" + "\n".join(called)
                                 + f"\necho {name} $begun $EPOCHREALTIME >> {times}\n")
                os.chmod(self.root + program, 0o755)
                conf.write(f'DPkg::{name.capitalize()}-Invoke {{ "{program}"; }};\n')

    def numbers(self):
        """Numbers of all snapshots, oldest first."""
        names = os.listdir(f"{self.root}/.snapshots")
        return sorted(int(n) for n in names if n.isdigit())


@contextlib.contextmanager
def on_pool(context, pool, version="v1"):
    """Makes the copy, lets snapper manage it, and takes it away again."""
    with pool.top() as top:
        subvolume = f"{top}/snapper-root"
        run_ok("btrfs", "-q", "subvolume", "snapshot", f"{top}/@base/{version}", subvolume)
        root = context.path("snapper")
        os.mkdir(root)
        device = run_ok("findmnt", "-n", "-o", "SOURCE", top).text.split("[")[0].strip()
        run_ok("mount", "-t", "btrfs", "-o", "subvol=snapper-root,noatime", device, root)
        for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
            run_ok("mount", "-t", kind, kind, root + where)
        run_ok("mount", "--rbind", "/dev", root + "/dev")
        system = Snapper(root)
        try:
            system.inside("dpkg", "--purge", "flipper-profile")
            os.symlink("../proc/self/mounts", f"{root}/etc/mtab")
            os.makedirs(f"{root}/run/dbus", exist_ok=True)
            system.inside("dbus-daemon", "--system", "--fork")
            system.inside("snapper", "-c", "root", "create-config", "/")
            system.inside("snapper", "-c", "root", "set-config", "BACKGROUND_COMPARISON=no", "NUMBER_CLEANUP=no")
            yield system
        finally:
            end_descendants()
            unmount_below(root)
