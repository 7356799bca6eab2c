"""The test packages do by plain dpkg, without the product, what their names say."""

import os

from lib import expect, rooted
from oracle import tree
from packages import catalogue

GOOD = ["fpt-conf=1", "fpt-dirfile=2", "fpt-dirlink=2", "fpt-reopaque", "fpt-divert", "fpt-caps", "fpt-links",
        "fpt-odd", "fpt-modes", "fpt-nodes", "fpt-libs", "fpt-user", "fpt-app", "fpt-prompt"]
SHARED = ["fpt-alt-a", "fpt-alt-b", "fpt-acc-one", "fpt-acc-two", "fpt-over-a", "fpt-watch", "fpt-watched-a",
          "fpt-shlib-a", "fpt-ask=1", "fpt-ren=2", "fpt-line-a", "fpt-line-b", "fpt-needs2"]


def _install(root, *packages):
    return rooted.inside(root, "apt-get", "-q", "-y", "install", *packages)


def test_good_packages_install_on_a_plain_filesystem(t):
    root = rooted.unpack(t)
    expect.status(_install(root, *GOOD), 0)
    entries = tree.read(root).entries
    expect.equal(entries[b"/usr/share/fpt-dirfile/e"].kind, "file")
    expect.equal(entries[b"/usr/share/fpt-dirlink/d"].target, b"real")
    expect.contains(dict(entries[b"/usr/lib/fpt-caps/tool"].xattrs), "security.capability")
    expect.equal(entries[b"/usr/lib/fpt-nodes/null"].device, (1, 3))
    expect.contains(entries, b"/usr/share/fpt-odd/new\nline.")
    for name in catalogue.ODD_NAMES:
        expect.contains(entries, b"/usr/share/fpt-odd/" + name)
    expect.equal(rooted.inside(root, "dpkg", "--audit").text, "")


def _lines(root, path):
    with open(root + path, encoding="utf-8") as f:
        return f.read().splitlines()


def test_packages_that_change_what_others_share(t):
    root = rooted.unpack(t)
    clean = tree.read(root)
    expect.status(_install(root, *SHARED), 0)
    expect.equal(rooted.inside(root, "readlink", "-f", "/usr/bin/fpt-tool").text.strip(), "/usr/lib/fpt-alt-b/tool")
    expect.equal(rooted.inside(root, "id", "-Gn", "fpt-acc-two").text.split(), ["fpt-acc-two", "fptgroup"])
    expect.contains(_lines(root, "/var/lib/dpkg/statoverride"), "root adm 2750 /usr/lib/fpt-over-a/tool")
    expect.equal(_lines(root, "/var/lib/fpt-watch/index"), ["a", "own"])
    expect.contains(rooted.inside(root, "ldconfig", "-p").text, " /usr/lib/fpt-shlib-a/")
    expect.equal(_lines(root, "/var/lib/fpt-ask/answer"), ["word1"])
    expect.contains(_lines(root, "/etc/fpt-lines"), "fpt-line-b")
    expect.status(_install(root, "fpt-ask=2", "fpt-hello=2"), 0)
    names = [p.split("=")[0] for p in SHARED] + ["fpt-hello"]
    expect.status(rooted.inside(root, "apt-get", "-q", "-y", "purge", *names), 0)
    left = {path for path in tree.changed_paths(clean, tree.read(root)) if b"/fpt" in path}
    expect.equal(left, {b"/etc/fpt-lines"}, "what the purge leaves")


def test_each_failing_script_fails_until_it_may_succeed(t):
    root = rooted.unpack(t)
    for script in ("preinst", "postinst"):
        expect.status(_install(root, f"fpt-fail-{script}"), 100)
    for script in ("prerm", "postrm"):
        rooted.inside(root, "apt-get", "-q", "-y", "-f", "install")
        open(f"{root}/srv/fpt-fail-postinst.ok", "w", encoding="ascii").close()
        expect.status(_install(root, f"fpt-fail-{script}"), 0)
        expect.status(rooted.inside(root, "apt-get", "-q", "-y", "remove", f"fpt-fail-{script}"), 100)
        open(f"{root}/srv/fpt-fail-{script}.ok", "w", encoding="ascii").close()
        expect.status(rooted.inside(root, "apt-get", "-q", "-y", "remove", f"fpt-fail-{script}"), 0)


def test_directory_becomes_symlink_and_directory_again(t):
    root = rooted.unpack(t)
    for version, kind in (("2", "symlink"), ("3", "directory")):
        expect.status(_install(root, f"fpt-dirlink={version}"), 0)
        expect.equal(tree.read_entry(os.path.join(root, "usr/share/fpt-dirlink/d"))[0].kind, kind)
