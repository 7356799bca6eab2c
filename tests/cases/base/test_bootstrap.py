"""`base add --bootstrap`: mmdebstrap makes the base, from the machine's own mirror."""

from lib import expect, mirror


def test_bootstraps_trixie_with_an_included_package(t):
    pool = t.pool("toy")
    added = pool.ok("base", "add", "13", "--bootstrap", "trixie", "--include", "less", "--mirror", mirror.uri(),
                    timeout=1200)
    info = pool.ok("base", "info", "13")
    expect.that(info["entries"] > 3000, f"only {info['entries']} entries")
    expect.that(added, "empty result")
    with pool.top() as top:
        with open(f"{top}/@base/13/var/lib/dpkg/status", encoding="utf-8") as f:
            expect.contains(f.read(), "\nPackage: less\n")
    pool.ok("create", "thirteen", "--base", "13")
    expect.contains(pool.run_ok("thirteen", "cat", "/etc/debian_version").text, "13")


def test_a_suite_that_does_not_exist_leaves_nothing(t):
    import os
    pool = t.pool("toy")
    expect.status(pool.fp("base", "add", "13", "--bootstrap", "nosuchsuite", "--mirror", mirror.uri(), timeout=300), 1)
    with pool.top() as top:
        expect.equal(sorted(os.listdir(f"{top}/@base")), ["current", "v1"])
        expect.nothing(os.listdir(f"{top}/@flipper/staging"), "left in staging")
