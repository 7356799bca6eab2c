"""Every test package.  One behaviour each; the name says which."""

import os
import stat

from packages import scripts, shared
from packages.builder import Package, make_directory, put

ODD_NAMES = [
    b"-dash", b"--", b"sp ace", b" lead", b"trail ", b"back\\slash", b"q'uo\"te", b"st*r?[x]",
    b"lat\xe9in", b"\xff\xfe", "schr\u00e4g \u2603".encode(), b"tab\there", b"esc\x1b[31m", b"a" * 200,
]


def _file(path, content):
    return lambda root: put(root, path, content)


def _hello(version):
    return Package("fpt-hello", version, _file("/usr/share/fpt-hello/hello", f"hello {version}\n"))


def _conf(version):
    def fill(root):
        lines = [f"line {n}\n" for n in range(1, 20)]
        lines[9] = f"version = {version}\n"
        put(root, "/etc/fpt/main.conf", "".join(lines))
        put(root, "/etc/fpt/steady.conf", "never changes\n")
    return Package("fpt-conf", version, fill, conffiles=["/etc/fpt/main.conf", "/etc/fpt/steady.conf"])


def _failing(script):
    name = f"fpt-fail-{script}"
    return Package(name, "1", _file(f"/usr/share/{name}/file", "content\n"),
                   {script: scripts.failing(name)})


def _dir_to_file(version):
    def fill(root):
        if version == "2":
            put(root, "/usr/share/fpt-dirfile/e", "now a file\n")
        else:
            put(root, "/usr/share/fpt-dirfile/e/one", f"one {version}\n")
            put(root, "/usr/share/fpt-dirfile/e/sub/two", "two\n")
    return Package("fpt-dirfile", version, fill)


def _dir_to_link(version):
    def fill(root):
        put(root, "/usr/share/fpt-dirlink/real/data", f"data {version}\n")
        # Equal whether it is reached through the symlink or not.
        put(root, "/usr/share/fpt-dirlink/real/same", "same\n")
        if version == "2":
            os.symlink("real", os.path.join(root, "usr/share/fpt-dirlink/d"))
        else:
            put(root, "/usr/share/fpt-dirlink/d/data", f"own data {version}\n")
            put(root, "/usr/share/fpt-dirlink/d/same", "same\n")
    return Package("fpt-dirlink", version, fill, scripts.dir_and_symlink(version))


def _links(root):
    first = put(root, "/usr/lib/fpt-links/a/one", b"shared\n" * 100)
    make_directory(root, "/usr/lib/fpt-links/b")
    os.link(first, os.path.join(os.fsencode(root), b"usr/lib/fpt-links/a/two"))
    os.link(first, os.path.join(os.fsencode(root), b"usr/lib/fpt-links/b/three"))


def _odd(root):
    for name in ODD_NAMES:
        put(root, b"/usr/share/fpt-odd/" + name, name)
    make_directory(root, b"/usr/share/fpt-odd/d\xfcr")
    os.symlink(b"nowhere\xff", os.path.join(os.fsencode(root), b"usr/share/fpt-odd/l\xefnk"))


def _modes(root):
    make_directory(root, "/usr/lib/fpt-modes/empty")
    make_directory(root, "/usr/lib/fpt-modes/empty-too/deeper")
    make_directory(root, "/usr/lib/fpt-modes/private", 0o700)
    make_directory(root, "/usr/lib/fpt-modes/sticky", 0o1777)
    os.chown(make_directory(root, "/usr/lib/fpt-modes/owned", 0o2750), 33, 33)
    os.chown(put(root, "/usr/lib/fpt-modes/owned/file", "x", 0o640), 33, 33)
    put(root, "/usr/lib/fpt-modes/suid", "x", 0o4755)
    put(root, "/usr/lib/fpt-modes/none", "x", 0o000)
    os.symlink("/nonexistent/target", os.path.join(root, "usr/lib/fpt-modes/dangling"))


def _nodes(root):
    directory = make_directory(root, "/usr/lib/fpt-nodes")
    os.mknod(os.path.join(directory, b"null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(os.path.join(directory, b"block"), stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.mkfifo(os.path.join(directory, b"fifo"), 0o600)


def _many(root):
    for directory in range(160):
        for number in range(100):
            put(root, f"/usr/lib/fpt-many/{directory:03}/{number:03}", f"{directory} {number}\n")


def _libraries(root):
    """Forty copies of a small real library: dlopen must give forty handles."""
    library = os.path.realpath(scripts.small_library())
    with open(library, "rb") as f:
        content = f.read()
    for number in range(40):
        put(root, f"/usr/lib/fpt-libs/lib{number:02}.so", content)


def _module(root):
    """What dkms does: a hook that makes a file for every kernel that is installed, and takes it away with it."""
    put(root, "/usr/src/fpt-module/source", "source\n")
    put(root, "/etc/kernel/postinst.d/fpt-module", scripts.BUILD_MODULE, 0o755)
    put(root, "/etc/kernel/prerm.d/fpt-module", scripts.REMOVE_MODULE, 0o755)


def _static():
    yield from (_hello("1"), _hello("2"), _conf("1"), _conf("2"))
    yield from (_failing(s) for s in ("preinst", "postinst", "prerm", "postrm"))
    yield from (_dir_to_file(v) for v in ("1", "2", "3"))
    yield from (_dir_to_link(v) for v in ("1", "2", "3"))
    yield Package("fpt-opaque", "1", lambda root: [
        put(root, "/usr/share/fpt-opaque/d/one", "1\n"), put(root, "/usr/share/fpt-opaque/d/two", "2\n")])
    yield Package("fpt-reopaque", "1", scripts={"postinst": scripts.RECREATE_DIRECTORY})
    yield Package("fpt-divert", "1", _file("/usr/bin/apt-cdrom", "#!/bin/sh\necho diverted\n"),
                  scripts.divert("/usr/bin/apt-cdrom", "fpt-divert"))
    yield Package("fpt-caps", "1", _file("/usr/lib/fpt-caps/tool", "#!/bin/sh\n"),
                  {"postinst": scripts.set_capability("/usr/lib/fpt-caps/tool")})
    yield Package("fpt-links", "1", _links)
    yield Package("fpt-odd", "1", _odd, scripts.newline_name("/usr/share/fpt-odd"))
    yield Package("fpt-modes", "1", _modes)
    yield Package("fpt-nodes", "1", _nodes)
    yield Package("fpt-many", "1", _many, compression="gzip")
    yield Package("fpt-libs", "1", _libraries, compression="gzip")
    yield Package("fpt-user", "1", scripts={"postinst": scripts.add_user("fptuser")})
    yield Package("fpt-lib", "1", _file("/usr/share/fpt-lib/lib", "lib\n"))
    yield Package("fpt-app", "1", _file("/usr/share/fpt-app/app", "app\n"), fields={"Depends": "fpt-lib"})
    yield Package("fpt-rival", "1", _file("/usr/share/fpt-rival/x", "x\n"), fields={"Conflicts": "fpt-hello"})
    yield Package("fpt-module", "1", _module)
    yield Package("fpt-slow", "1", _file("/usr/share/fpt-slow/x", "x\n"), {"postinst": scripts.SLOW})
    yield Package("fpt-top", "1", _file("/fpt-top", "at the top\n"))
    yield Package("fpt-grow", "1", scripts={"postinst": scripts.FILL_DISK})
    yield Package("fpt-prompt", "1", scripts={"postinst": scripts.EDIT_OTHERS})


def everything():
    """All packages of the repository."""
    yield from _static()
    yield from shared.packages()
    for number in range(1, 4):
        for version in ("1", "2"):
            name = f"fpt-up{number}"
            yield Package(name, version, _file(f"/usr/share/{name}/x", f"{version}\n"))
    for number in range(1, 101):
        name = f"fpt-set{number:03}"
        yield Package(name, "1", _file(f"/usr/share/fpt-set/{number:03}", f"{number}\n"))


# Installed in every prepared base, so that a package of the repository replaces what the base has.
IN_BASE = ["fpt-dirfile_1_all.deb", "fpt-dirlink_1_all.deb", "fpt-opaque_1_all.deb"]
