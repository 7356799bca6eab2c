"""Real packages with hard cases: install each, undo, and the tree is what it was."""

from lib import expect, recipes, roundtrip, session


def _round(t, *packages, env=None):
    pool = t.pool("real")
    roundtrip.outside(pool, lambda p: expect.status(p.install(*packages, inside=env), 0), redo=False)
    return pool


def test_nginx(t):
    _round(t, "nginx")


def test_postgresql(t):
    _round(t, "postgresql")


def test_openssh_server(t):
    _round(t, "openssh-server")


def test_docker(t):
    _round(t, "docker.io")


def test_iputils_ping_with_capabilities(t):
    _round(t, "libcap2-bin", "iputils-ping")


def test_tzdata_and_locales_with_debconf(t):
    _round(t, "tzdata", "locales", env={"DEBIAN_FRONTEND": "noninteractive"})


def test_exim4(t):
    _round(t, "exim4-daemon-light")


def test_python3(t):
    _round(t, "python3")


def test_a_kernel_with_a_module_built_for_it(t):
    """The kernel's hooks make an initrd and, as dkms does, a module: files that no package owns."""
    pool = t.pool("real")
    expect.status(pool.install("fpt-module"), 0)

    def kernel(pool):
        expect.status(pool.install(f"linux-image-cloud-{recipes.ARCHITECTURE}"), 0)
        made = pool.shell("dev", "ls /boot/vmlinuz-* /boot/initrd.img-* /lib/modules/*/updates/fpt/fpt.ko").text
        expect.equal(len(made.split()), 3, "files of the kernel")
    roundtrip.outside(pool, kernel, redo=False)


def test_systemd_and_udev_live(t):
    pool = t.pool("real")
    with session.inside(pool) as inside:
        roundtrip.inside(pool, inside, lambda s: s.say("apt-get -q -y install systemd udev >/dev/null 2>&1"))


def test_three_in_a_row_undone_one_by_one_live(t):
    pool = t.pool("real")
    with session.inside(pool) as inside:
        states = []
        for package in ("jq", "nginx", "mc"):
            states.append(pool.reading())
            inside.say(f"apt-get -q -y install {package} >/dev/null 2>&1")
        for wanted in reversed(states):
            roundtrip.undo_inside(inside)
            roundtrip.equal(pool, wanted, "after a live undo")


def test_caches_of_a_desktop_are_made_anew_for_what_stays(t):
    """Two applications, each of which the triggers put into the same caches; the older one goes."""
    pool = t.pool("real")
    caches = ("/usr/share/applications/mimeinfo.cache", "/usr/share/icons/hicolor/icon-theme.cache",
              "/usr/share/mime/mime.cache", "/usr/lib/*/gdk-pixbuf-2.0/*/loaders.cache")
    tools = ("desktop-file-utils", "gtk-update-icon-cache", "hicolor-icon-theme")

    def caches_of():
        found = pool.shell("dev", f"for f in {' '.join(caches)}; do [ ! -e $f ] || "
                           "echo $f $(grep -ac feh $f) $(grep -ac nsxiv $f); done").text.splitlines()
        return {line.split()[0]: [int(n) > 0 for n in line.split()[1:]] for line in found}

    # What both need is there beforehand, else the older one could not go.
    expect.status(pool.install(*tools, "feh", "nsxiv"), 0)
    expect.status(pool.apt("purge", "feh", "nsxiv"), 0)
    before = caches_of()
    expect.equal(before[caches[0]], [False, False], "the applications in the cache before")
    expect.status(pool.install("feh"), 0)
    older = pool.newest()["number"]
    expect.status(pool.install("nsxiv"), 0)
    both = caches_of()
    expect.equal(both[caches[0]], [True, True], "the applications in the cache")
    expect.equal(both[caches[1]], [True, True], "the icons in the cache")
    result = roundtrip.undo_outside(pool, str(older))
    expect.equal(result["notes"], [])
    alone = caches_of()
    expect.equal({path: alone[path] for path in caches[:2]}, {path: [False, True] for path in caches[:2]})
    expect.equal(alone.keys(), before.keys(), "caches")
    roundtrip.clean(pool)
    roundtrip.undo_outside(pool, str(result["transaction"]))
    expect.equal(caches_of(), both, "after the redo")
    roundtrip.clean(pool)
