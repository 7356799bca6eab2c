"""The inode floor, on a real base with real packages: no two files claim to be the same."""

from lib import expect
from oracle import collisions

PACKAGES = ("fpt-many", "fpt-libs", "fpt-links", "fpt-odd", "fpt-divert", "fpt-conf=1")


def _with_packages(t):
    pool = t.pool("mini")
    expect.status(pool.install(*PACKAGES), 0)
    return pool


def test_no_identity_is_shared_after_installing_thousands_of_files(t):
    """Counted where it matters: through the mounted overlay, by a process inside."""
    pool = _with_packages(t)
    listing = pool.shell("dev", "find / -xdev -printf '%D %i %n %y %p\\0'")
    seen, shared = {}, []
    for line in listing.stdout.split(b"\0")[:-1]:
        device, inode, links, kind, path = line.split(b" ", 4)
        other = seen.setdefault((device, inode), (path, links))
        if other[0] != path and (kind == b"d" or int(links) < 2):
            shared.append((other[0], path))
    expect.that(len(seen) > 20_000, f"only {len(seen)} files were seen")
    expect.nothing(shared, "pairs that share (st_dev, st_ino)")


def test_the_independent_counter_agrees(t):
    pool = _with_packages(t)
    with pool.merged() as view:
        expect.nothing(collisions.pairs(view), "colliding pairs")


def test_find_sees_no_loop(t):
    answer = _with_packages(t).run("dev", "find", "/", "-xdev", "-name", "dev")
    expect.equal((answer.status, answer.errors), (0, ""))
    expect.contains(answer.text.split(), "/dev")


def test_tar_stores_files_and_no_false_links(t):
    pool = _with_packages(t)
    found = pool.shell("dev", "tar -C / --one-file-system -cf - usr etc opt 2>/dev/null | tar -tvf - | grep -c '^h' || true")
    real = pool.shell("dev", "find /usr /etc /opt -xdev -type f -links +1 -printf '%i\\n' | sort | uniq -c"
                             " | awk '{n += $1 - 1} END {print n + 0}'")
    expect.equal(found.text, real.text, "hard links in the archive against those of the tree")


def test_copying_a_tree_gives_an_equal_tree(t):
    pool = _with_packages(t)
    answer = pool.run("dev", "sh", "-c", "cp -a /usr/lib/fpt-many /usr/lib/fpt-libs /usr/bin /tmp/ && "
                      "diff -r /usr/lib/fpt-many /tmp/fpt-many && diff -r --no-dereference /usr/bin /tmp/bin")
    expect.equal((answer.status, answer.text, answer.errors), (0, "", ""))


def test_dlopen_gives_each_library_its_own_handle(t):
    pool = _with_packages(t)
    script = ("require DynaLoader; my %h; for (glob '/usr/lib/fpt-libs/*.so') { my $r = DynaLoader::dl_load_file($_, 0)"
              " or die DynaLoader::dl_error(); $h{$r} = 1 } print scalar(keys %h), \"\\n\"")
    expect.equal(pool.run_ok("dev", "perl", "-e", script).text, "40\n")


def test_a_pool_of_the_default_floor_starts_above_a_million(t):
    import os
    from lib import command, pools
    image = t.path("default.img")
    expect.status(command.call(t.program(), "--json", "pool", "create", image, "--size", "2G"), 0)
    pool = pools.Pool(t, image)
    expect.equal(pool.ok("pool", "info")["inode_floor"], 1 << 20)
    with pool.top() as top:
        expect.that(os.stat(f"{top}/@profiles/.template/upper").st_ino >= 1 << 20, "the template is below the floor")


def test_the_check_finds_a_profile_below_the_floor(t):
    import os
    from lib.process import run_ok
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        run_ok("btrfs", "-q", "subvolume", "create", f"{top}/low")
        run_ok("cp", "-a", f"{directory}/upper", f"{directory}/work", f"{directory}/profile.json", f"{top}/low")
        open(f"{top}/low/upper/file", "w", encoding="ascii").close()
        os.rename(directory, f"{top}/aside")
        os.rename(f"{top}/low", directory)
    answer = expect.status(pool.fp("pool", "check"), 4)
    expect.contains(answer.text, "inode")
