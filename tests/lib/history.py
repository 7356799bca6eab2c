"""Random but real histories: a list of shell scripts, made from a seed, that a person could have typed.

The same seed makes the same list.  `FLIPPER_TEST_SEED` chooses it, `FLIPPER_TEST_STEPS` names a file of steps to
run instead (a failure prints them: take lines out until it no longer fails).
"""

import os
import random

REPOSITORY = "/opt/fpt/repo"

# Versions of each package that a history may install; the higher a place in the list the later.
PACKAGES = {
    "fpt-hello": ("1", "2"), "fpt-conf": ("1", "2"), "fpt-up1": ("1", "2"), "fpt-up2": ("1", "2"),
    "fpt-ren": ("1", "2"), "fpt-ask": ("1", "2"), "fpt-lib": ("1",), "fpt-app": ("1",), "fpt-rival": ("1",),
    "fpt-links": ("1",), "fpt-odd": ("1",), "fpt-modes": ("1",), "fpt-nodes": ("1",), "fpt-caps": ("1",),
    "fpt-divert": ("1",), "fpt-user": ("1",), "fpt-alt-a": ("1",), "fpt-alt-b": ("1",), "fpt-acc-one": ("1",),
    "fpt-acc-two": ("1",), "fpt-over-a": ("1",), "fpt-over-b": ("1",), "fpt-watch": ("1",), "fpt-watched-a": ("1",),
    "fpt-watched-b": ("1",), "fpt-shlib-a": ("1",), "fpt-shlib-b": ("1",), "fpt-line-a": ("1",),
    "fpt-line-b": ("1",), "fpt-line-c": ("1",), "fpt-needs2": ("1",), "fpt-set001": ("1",), "fpt-set002": ("1",),
    "fpt-opaque": ("1",), "fpt-reopaque": ("1",), "fpt-dirfile": ("1", "2", "3"), "fpt-dirlink": ("1", "2", "3"),
}
IN_BASE = {"fpt-opaque": "1", "fpt-dirfile": "1", "fpt-dirlink": "1"}
APT = "apt-get -q -y -o Dpkg::Options::=--force-confold --allow-downgrades"
# What somebody else writes while apt is at work; not a path that any package knows.
MEANWHILE = "/opt/meanwhile"
CONFFILES = ("/etc/fpt/main.conf", "/etc/fpt/steady.conf")
TEXTS = (*CONFFILES, "/etc/hosts", "/etc/fpt-lines", "/etc/mine/one", "/etc/mine/two")


class Writer:
    """Writes one history; knows roughly what is installed, so that most steps do something."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.installed = dict(IN_BASE)
        self.number = 0

    def steps(self, count):
        return [self._step() for _ in range(count)]

    def _step(self):
        self.number += 1
        choices = [(30, self._install), (14, self._version), (12, self._remove), (4, self._reinstall),
                   (6, self._dpkg), (4, self._meanwhile), (12, self._text), (10, self._file), (8, self._account),
                   (4, self._diversion), (4, self._override), (4, self._alternative), (4, self._mark)]
        while True:
            script = self.random.choices([c for _, c in choices], [w for w, _ in choices])[0]()
            if script:
                return script

    def _absent(self):
        return sorted(set(PACKAGES) - set(self.installed))

    def _chosen(self, packages, most=3):
        count = min(len(packages), self.random.choice(range(1, most + 1)))
        return self.random.sample(packages, count)

    def _wanted(self):
        wanted = {name: self.random.choice(PACKAGES[name]) for name in self._chosen(self._absent())}
        if "fpt-rival" in wanted or ("fpt-rival" in self.installed and "fpt-hello" in wanted):
            # apt removes the one for the other, and what needs it.
            for gone in ("fpt-hello", "fpt-needs2") if "fpt-rival" in wanted else ("fpt-rival",):
                self.installed.pop(gone, None)
                wanted.pop(gone, None) if gone != "fpt-rival" else None
        self.installed.update(wanted)
        return " ".join(f"{name}={version}" for name, version in wanted.items())

    def _install(self):
        return f"{APT} install {self._wanted()}" if self._absent() else None

    def _meanwhile(self):
        if not self._absent():
            return None
        hook = f"mkdir -p {MEANWHILE} && echo {self.number} > {MEANWHILE}/{self.random.choice('ab')}"
        return f"{APT} -o DPkg::Pre-Install-Pkgs::='cat >/dev/null; {hook}' install {self._wanted()}"

    def _version(self):
        several = [name for name in sorted(self.installed) if len(PACKAGES[name]) > 1]
        if not several:
            return None
        name = self.random.choice(several)
        version = self.random.choice([v for v in PACKAGES[name] if v != self.installed[name]])
        self.installed[name] = version
        return f"{APT} install {name}={version}"

    def _remove(self):
        if not self.installed:
            return None
        gone = self._chosen(sorted(self.installed), 2)
        for name in gone:
            del self.installed[name]
        verb = self.random.choice(("remove", "purge", "autoremove --purge"))
        return f"{APT} {verb} {' '.join(gone)}"

    def _reinstall(self):
        name = self.random.choice(sorted(self.installed) or ["fpt-hello"])
        return f"{APT} --reinstall install {name}"

    def _dpkg(self):
        if self.installed and self.random.random() < 0.3:
            name = self.random.choice(sorted(self.installed))
            self.installed.pop(name)
            return f"dpkg {self.random.choice(('-r', '-P'))} {name}"
        name = self.random.choice(sorted(PACKAGES))
        self.installed[name] = version = self.random.choice(PACKAGES[name])
        return f"dpkg --force-confold -i {REPOSITORY}/{name}_{version}_all.deb"

    def _text(self):
        path, line = self.random.choice(TEXTS), self.random.randrange(1, 25)
        edit = self.random.choice((
            f"echo 'added {self.number}' >> {path}", f"sed -i '{line}s/$/ edited {self.number}/' {path}",
            f"sed -i '{line}d' {path}", f"sed -i '{line}i inserted {self.number}' {path}", f"chmod 0640 {path}",
            f"rm {path}", f"chown games {path}"))
        if path == "/etc/hosts" and edit.startswith(("rm", "ch")):
            return None
        return f"[ ! -f {path} ] || {edit}"

    def _file(self):
        one, two = self.random.sample(("one", "two", "three", "four/five", "four/six"), 2)
        package = self.random.choice(("up1", "links/a", "modes", "ren", "hello", "odd", "watched"))
        return self.random.choice((
            f"mkdir -p /etc/mine/four && seq {self.number} 60 > /etc/mine/{one}",
            f"[ ! -e /etc/mine/{one} ] || mv /etc/mine/{one} /etc/mine/{two}",
            f"[ ! -e /etc/mine/{one} ] || ln -f /etc/mine/{one} /etc/mine/link",
            f"mkdir -p /usr/local/lib/mine && ln -sfn /etc/mine/{one} /usr/local/lib/mine/link",
            f"[ ! -d /usr/share/fpt-{package} ] || echo {self.number} > /usr/share/fpt-{package}/mine",
            f"[ ! -d /usr/lib/fpt-{package} ] || echo {self.number} > /usr/lib/fpt-{package}/mine",
            f"[ ! -e /usr/share/fpt-{package}/x ] || rm /usr/share/fpt-{package}/x",
            f"[ ! -e /usr/share/fpt-{package}/hello ] || chmod 0600 /usr/share/fpt-{package}/hello",
        ))

    def _account(self):
        name = self.random.choice(("anna", "ben", "cleo"))
        system = self.random.choice(("fpt-acc-one", "fpt-acc-two", "fptuser", name))
        quiet = ">/dev/null 2>&1"
        return self.random.choice((
            f"getent passwd {name} {quiet} || useradd {self.random.choice(('', '--system '))}--no-create-home {name}",
            f"! getent passwd {name} {quiet} || userdel {name}",
            f"! getent passwd {system} {quiet} || usermod -s /bin/sh {system}",
            f"! getent passwd {system} {quiet} || echo {system}:pass{self.number} | chpasswd",
            f"! getent passwd {name} {quiet} || usermod -a -G adm,games {name}",
            f"! {{ getent passwd {name} && getent group fptgroup; }} {quiet} || usermod -a -G fptgroup {name}",
            f"getent group team {quiet} || groupadd {self.random.choice(('', '--system '))}team",
            f"! getent group team {quiet} || groupdel team",
        ))

    def _diversion(self):
        path = self.random.choice(("/usr/share/fpt-up2/x", "/usr/share/fpt-set/001", "/usr/share/fpt-lib/lib"))
        return self.random.choice((
            f"dpkg-divert --local --quiet --rename --divert {path}.mine --add {path}",
            f"dpkg-divert --local --quiet --rename --remove {path}"))

    def _override(self):
        path = self.random.choice(("/usr/share/fpt-up1/x", "/usr/lib/fpt-over-a/tool", "/usr/share/fpt-hello/hello"))
        return self.random.choice((
            f"dpkg-statoverride --list {path} >/dev/null || dpkg-statoverride --add root games 0711 {path}",
            f"! dpkg-statoverride --list {path} >/dev/null || dpkg-statoverride --remove {path}"))

    def _alternative(self):
        package = self.random.choice("ab")
        guard = f"[ ! -e /usr/lib/fpt-alt-{package}/tool ] || ! update-alternatives --query fpt-tool >/dev/null"
        return f"{guard} || update-alternatives --quiet " + self.random.choice((
            f"--set fpt-tool /usr/lib/fpt-alt-{package}/tool", "--auto fpt-tool"))

    def _mark(self):
        name = self.random.choice(sorted(self.installed) or ["fpt-opaque"])
        return f"apt-mark {self.random.choice(('hold', 'unhold', 'auto', 'manual'))} {name} >/dev/null"


def seeds(default):
    """The seeds of a run: those of the test, or the one or the range that was chosen by hand."""
    given = os.environ.get("FLIPPER_TEST_SEED")
    if not given:
        return list(default)
    first, _, last = given.partition("-")
    return list(range(int(first), int(last or first) + 1))


def steps_of(seed, count):
    """The steps of a seed, or those of the file that was named."""
    path = os.environ.get("FLIPPER_TEST_STEPS")
    if not path:
        return Writer(seed).steps(count)
    with open(path, encoding="utf-8") as f:
        return [line.split("  ", 1)[-1].rstrip("\n") for line in f if line.strip()]


def shown(seed, steps):
    return f"seed {seed}, FLIPPER_TEST_SEED={seed} runs it again; its steps:\n" + "".join(f"  {s}\n" for s in steps)
