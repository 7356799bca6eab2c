"""A flat apt repository: Packages and Release beside the .debs, written without apt-utils."""

import hashlib
import os

from lib.process import run_ok

ORIGIN = "FPT"


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def write_index(directory):
    """Writes Packages and Release for every .deb in `directory`."""
    stanzas = []
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".deb"):
            continue
        path = os.path.join(directory, name)
        with open(path, "rb") as f:
            data = f.read()
        control = run_ok("dpkg-deb", "--field", path).text.rstrip("\n")
        stanzas.append(f"{control}\nFilename: ./{name}\nSize: {len(data)}\nSHA256: {_digest(data)}\n")
    packages = "\n".join(stanzas).encode()
    with open(os.path.join(directory, "Packages"), "wb") as f:
        f.write(packages)
    release = (
        f"Origin: {ORIGIN}\nLabel: {ORIGIN}\nSuite: test\nCodename: test\n"
        "Architectures: all\nComponents: main\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {_digest(packages)} {len(packages)} Packages\n"
    )
    with open(os.path.join(directory, "Release"), "w", encoding="ascii") as f:
        f.write(release)


def fingerprint(directory):
    """A digest of the repository's content, for cache keys."""
    with open(os.path.join(directory, "Packages"), "rb") as f:
        return _digest(f.read())
