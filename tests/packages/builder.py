"""Builds .deb files with plain dpkg-deb from a description."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

from lib.process import run_ok

EPOCH = 1_700_000_000


@dataclass
class Package:
    """One version of one package; `fill(root)` puts its files below the directory `root`."""

    name: str
    version: str = "1"
    fill: Callable[[str], None] | None = None
    scripts: dict[str, str] = field(default_factory=dict)
    conffiles: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    compression: str = "none"

    @property
    def file_name(self):
        return f"{self.name}_{self.version}_all.deb"

    def control(self):
        fields = {
            "Package": self.name, "Version": self.version, "Architecture": "all",
            "Maintainer": "flipper-profile tests <tests@localhost>", "Section": "misc",
            "Priority": "optional", **self.fields,
            "Description": f"test package {self.name}",
        }
        return "".join(f"{key}: {value}\n" for key, value in fields.items())


def put(root, path, content=b"", mode=0o644):
    """Writes one file of a package; `path` is absolute in the package, text or bytes."""
    target = os.path.join(os.fsencode(root), os.fsencode(path).lstrip(b"/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(target, mode)
    return target


def make_directory(root, path, mode=0o755):
    target = os.path.join(os.fsencode(root), os.fsencode(path).lstrip(b"/"))
    os.makedirs(target, exist_ok=True)
    os.chmod(target, mode)
    return target


def _same_time_everywhere(root):
    for directory, names, files in os.walk(os.fsencode(root), topdown=False):
        for name in names + files:
            os.utime(os.path.join(directory, name), (EPOCH, EPOCH), follow_symlinks=False)
    os.utime(root, (EPOCH, EPOCH))


def build(package, directory):
    """Builds the package into `directory`; the same description gives the same bytes."""
    with tempfile.TemporaryDirectory(dir=directory) as root:
        os.chmod(root, 0o755)
        if package.fill:
            package.fill(root)
        put(root, f"/usr/share/doc/{package.name}/about", f"{package.name} {package.version}\n")
        control = make_directory(root, "/DEBIAN").decode()
        put(root, "/DEBIAN/control", package.control())
        if package.conffiles:
            put(root, "/DEBIAN/conffiles", "".join(f"{path}\n" for path in package.conffiles))
        for name, text in package.scripts.items():
            put(root, f"/DEBIAN/{name}", text, 0o755)
        os.chmod(control, 0o755)
        _same_time_everywhere(root)
        target = os.path.join(directory, package.file_name)
        run_ok("dpkg-deb", f"-Z{package.compression}", "--build", root, target,
               env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})
        shutil.rmtree(root)
        os.mkdir(root)
    return target
