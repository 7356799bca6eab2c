"""Packages whose scripts and files change what many packages share: accounts, alternatives, overrides, caches."""

import os

from packages import scripts
from packages.builder import Package, put
from packages.scripts import HEAD

CONFIGURE = HEAD + '[ "$1" = configure ] || exit 0\n'
REMOVE = HEAD + '[ "$1" = remove ] || exit 0\n'
PURGE = HEAD + '[ "$1" = purge ] || exit 0\n'


def _file(path, content):
    return lambda root: put(root, path, content)


def _alternative(name, priority):
    """One of two that offer /usr/bin/fpt-tool, with a slave."""
    package = f"fpt-alt-{name}"
    tool, page = f"/usr/lib/{package}/tool", f"/usr/lib/{package}/page"
    return Package(package, "1", lambda root: [put(root, tool, f"{name}\n", 0o755), put(root, page, f"{name}\n")], {
        "postinst": CONFIGURE + f"update-alternatives --install /usr/bin/fpt-tool fpt-tool {tool} {priority}"
                                f" --slave /usr/share/fpt-tool.page fpt-tool.page {page}\n",
        "prerm": REMOVE + f"update-alternatives --remove fpt-tool {tool}\n",
    })


def _account(name, group):
    """A system user in a group that several of these packages share."""
    package = f"fpt-acc-{name}"
    return Package(package, "1", scripts={
        "postinst": CONFIGURE + f"getent group {group} >/dev/null || groupadd --system {group}\n"
                                f"getent passwd {package} >/dev/null || useradd --system --no-create-home {package}\n"
                                f"usermod -a -G {group} {package}\n",
        "postrm": PURGE + f"! getent passwd {package} >/dev/null || userdel {package}\n",
    })


def _override(name):
    """A file with another mode, kept by dpkg."""
    package, path = f"fpt-over-{name}", f"/usr/lib/fpt-over-{name}/tool"
    return Package(package, "1", _file(path, "tool\n"), {
        "postinst": CONFIGURE + f"dpkg-statoverride --list {path} >/dev/null"
                                f" || dpkg-statoverride --update --add root adm 2750 {path}\n",
        "postrm": PURGE + f"! dpkg-statoverride --list {path} >/dev/null || dpkg-statoverride --remove {path}\n",
    })


def _watcher():
    """Makes an index of what others put into its directory, when dpkg says that it changed."""
    make = ('{ [ "$1" = configure ] || [ "$1" = triggered ]; } || exit 0\n'
            "mkdir -p /var/lib/fpt-watch\nls /usr/share/fpt-watched > /var/lib/fpt-watch/index\n")

    def fill(root):
        put(root, "/usr/share/fpt-watched/own", "own\n")
        put(root, "/DEBIAN/triggers", "interest-noawait /usr/share/fpt-watched\n")
    return Package("fpt-watch", "1", fill, {"postinst": HEAD + make, "postrm": PURGE + "rm -rf /var/lib/fpt-watch\n"})


def _library(name):
    """A directory of its own with a real library, known to ldconfig."""
    package = f"fpt-shlib-{name}"

    def fill(root):
        # By the name that it calls itself, so that ldconfig has no link to make.
        library = scripts.small_library()
        with open(library, "rb") as f:
            put(root, f"/usr/lib/{package}/{os.path.basename(library)}", f.read())
        put(root, f"/etc/ld.so.conf.d/{package}.conf", f"/usr/lib/{package}\n")
        put(root, "/DEBIAN/triggers", "activate-noawait ldconfig\n")
    return Package(package, "1", fill, conffiles=[f"/etc/ld.so.conf.d/{package}.conf"])


def _question(version):
    """Asks through debconf, and writes what was answered."""
    def fill(root):
        put(root, "/DEBIAN/templates", f"Template: fpt-ask/word\nType: string\nDefault: word{version}\n"
                                       f"Description: a word of {version}\n")
    return Package("fpt-ask", version, fill, {
        "config": HEAD + ". /usr/share/debconf/confmodule\ndb_input low fpt-ask/word || true\ndb_go || true\n",
        "postinst": CONFIGURE + ". /usr/share/debconf/confmodule\ndb_get fpt-ask/word\n"
                                'mkdir -p /var/lib/fpt-ask\necho "$RET" > /var/lib/fpt-ask/answer\ndb_stop\n',
        "postrm": PURGE + "rm -rf /var/lib/fpt-ask\n. /usr/share/debconf/confmodule\ndb_purge\n",
    }, fields={"Depends": "debconf"})


def _renamed(version):
    """The same content under another name in each version, and a directory that goes with it."""
    def fill(root):
        put(root, f"/usr/share/fpt-ren/{version}/file", "the same\n" * 50)
        put(root, f"/usr/share/fpt-ren/name-{version}", "the same\n" * 60)
    return Package("fpt-ren", version, fill)


def _shared_text(name, place):
    """Writes a line of its own into a file that belongs to nobody, and takes it out again."""
    package = f"fpt-line-{name}"
    return Package(package, "1", scripts={
        "postinst": CONFIGURE + "[ -e /etc/fpt-lines ] || seq -f 'line %g' 40 > /etc/fpt-lines\n"
                                f"grep -q '^{package}$' /etc/fpt-lines"
                                f" || sed -i 's/^line {place}$/&\\n{package}/' /etc/fpt-lines\n",
        "postrm": PURGE + f"[ ! -e /etc/fpt-lines ] || sed -i '/^{package}$/d' /etc/fpt-lines\n",
    })


def packages():
    yield from (_alternative("a", 10), _alternative("b", 20))
    yield from (_account("one", "fptgroup"), _account("two", "fptgroup"))
    yield from (_override("a"), _override("b"))
    yield _watcher()
    yield from (Package(f"fpt-watched-{n}", "1", _file(f"/usr/share/fpt-watched/{n}", n)) for n in ("a", "b"))
    yield from (_library("a"), _library("b"))
    yield from (_question("1"), _question("2"))
    yield from (_renamed("1"), _renamed("2"))
    yield from (_shared_text("a", 10), _shared_text("b", 20), _shared_text("c", 21))
    yield Package("fpt-needs2", "1", fields={"Depends": "fpt-hello (>= 2)"})
