"""Each way to change packages gives exactly one transaction with the right facts."""

import re

from lib import expect

FORMAT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def _one(pool, before, **facts):
    """The one new transaction; checks the fields given."""
    rows = pool.history()
    expect.equal(len(rows), before + 1, "transactions")
    for key, value in facts.items():
        expect.equal(rows[0][key], value, key)
    return rows[0]


def _packages(pool, row):
    return {(p["name"], p["action"], p["old_version"], p["new_version"])
            for p in pool.ok("-p", "dev", "show", str(row["number"]))["packages"]}


def test_apt_get_install(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-app"), 0)
    row = _one(pool, 0, state="done", kind="apt", user="root", base="v1")
    expect.contains(row["command"], "apt-get -q -y install fpt-app")
    expect.contains(row["front_end"], "apt-get")
    expect.that(FORMAT.match(row["started"]) and FORMAT.match(row["ended"]), f"times: {row}")
    expect.equal(_packages(pool, row), {("fpt-app", "install", None, "1"), ("fpt-lib", "install", None, "1")})


def test_apt_install(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "apt", "-y", "install", "fpt-hello=1"), 0)
    row = _one(pool, 0, state="done")
    expect.contains(row["command"], "apt -y install fpt-hello=1")
    expect.equal(row["front_end"], "apt")


def test_automatic_marks_are_recorded(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-app"), 0)
    rows = pool.ok("-p", "dev", "show", str(pool.newest()["number"]))["packages"]
    expect.equal({p["name"]: p["auto_after"] for p in rows}, {"fpt-app": False, "fpt-lib": True})


def test_upgrade_downgrade_reinstall_remove_and_purge_are_told_apart(t):
    pool = t.pool("mini")
    steps = [
        (("install", "fpt-conf=1"), ("fpt-conf", "install", None, "1")),
        (("upgrade",), ("fpt-conf", "upgrade", "1", "2")),
        (("install", "--allow-downgrades", "fpt-conf=1"), ("fpt-conf", "downgrade", "2", "1")),
        (("install", "--reinstall", "fpt-conf=1"), ("fpt-conf", "reinstall", "1", "1")),
        (("remove", "fpt-conf"), ("fpt-conf", "remove", "1", None)),
        (("purge", "fpt-conf"), ("fpt-conf", "purge", "1", None)),
    ]
    for number, (args, wanted) in enumerate(steps):
        expect.status(pool.apt(*args), 0)
        found = _packages(pool, _one(pool, number, state="done"))
        ours = {row for row in found if row[0] == "fpt-conf"}
        expect.that(wanted in ours or (wanted[:2] in {r[:2] for r in ours} and args[0] == "purge"),
                    f"{args}: expected {wanted}, found {found}")


def test_install_that_removes_a_conflict(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    expect.status(pool.install("fpt-rival"), 0)
    row = _one(pool, 1, state="done")
    expect.equal({r[:2] for r in _packages(pool, row)}, {("fpt-rival", "install"), ("fpt-hello", "remove")})


def test_bare_dpkg_install_remove_and_configure(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "dpkg", "-i", "/opt/fpt/repo/fpt-hello_1_all.deb"), 0)
    row = _one(pool, 0, state="done", kind="dpkg", front_end="dpkg")
    expect.contains(row["command"], "dpkg -i /opt/fpt/repo/fpt-hello_1_all.deb")
    expect.equal(_packages(pool, row), {("fpt-hello", "install", None, "1")})
    expect.status(pool.run("dev", "dpkg", "--unpack", "/opt/fpt/repo/fpt-lib_1_all.deb"), 0)
    _one(pool, 1)
    expect.status(pool.run("dev", "dpkg", "--configure", "-a"), 0)
    row = _one(pool, 2, state="done")
    expect.equal({r[:2] for r in _packages(pool, row)}, {("fpt-lib", "configure")})
    expect.status(pool.run("dev", "dpkg", "-r", "fpt-hello"), 0)
    row = _one(pool, 3, state="done")
    expect.equal({r[:2] for r in _packages(pool, row)}, {("fpt-hello", "remove")})


def test_apt_with_a_local_file(t):
    pool = t.pool("mini")
    expect.status(pool.install("/opt/fpt/repo/fpt-hello_1_all.deb"), 0)
    _one(pool, 0, state="done")


def test_the_user_behind_sudo_is_recorded(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1", inside={"SUDO_USER": "alice", "SUDO_UID": "1000"}), 0)
    expect.contains(_one(pool, 0)["user"], "alice")


def test_passwords_in_addresses_are_redacted(t):
    pool = t.pool("mini")
    pool.install("-o", "Acquire::http::Proxy=http://me:geheim@127.0.0.1:9/", "fpt-hello=1")
    row = _one(pool, 0)
    expect.absent(row["command"], "geheim")
    with pool.top() as top:
        for name in ("journal.db", "journal.db-wal"):
            try:
                expect.absent(open(f"{top}/@flipper/{name}", "rb").read(), b"geheim", name)
            except FileNotFoundError:
                pass


def test_aptitude(t):
    pool = t.pool("fronts")
    expect.status(pool.run("dev", "aptitude", "-y", "install", "fpt-app"), 0)
    row = _one(pool, 0, state="done", front_end="aptitude")
    expect.equal({r[:2] for r in _packages(pool, row)}, {("fpt-app", "install"), ("fpt-lib", "install")})


def test_aptitude_with_nothing_to_do(t):
    pool = t.pool("fronts")
    expect.status(pool.run("dev", "aptitude", "-y", "safe-upgrade"), 0)
    expect.nothing(pool.history(), "transactions")


def test_unattended_upgrades_is_one_transaction(t):
    pool = t.pool("fronts")
    expect.status(pool.install("fpt-up1=1", "fpt-up2=1", "fpt-up3=1"), 0)
    pool.shell("dev", """cat > /etc/apt/apt.conf.d/99uu <<'END'
Unattended-Upgrade::Origins-Pattern { "origin=FPT"; };
Unattended-Upgrade::MinimalSteps "true";
END""")
    expect.status(pool.run("dev", "unattended-upgrade", "-v"), 0)
    row = _one(pool, 1, state="done")
    expect.contains(row["front_end"], "unattended-upgrade")
    expect.equal(_packages(pool, row), {(f"fpt-up{n}", "upgrade", "1", "2") for n in (1, 2, 3)})
    with pool.top() as top:
        import os
        _, content = pool.profile_file(top, "dev")
        kept = sorted(n for n in os.listdir(f"{top}/@snapshots/{content['id']}") if n.startswith(f"{row['number']}-"))
    expect.equal(kept, [f"{row['number']}-post", f"{row['number']}-pre"])


def test_packagekit(t):
    pool = t.pool("fronts")
    script = """mkdir -p /run/dbus; dbus-daemon --system --fork; pkcon -y -p install fpt-app; r=$?
        pkcon quit >/dev/null 2>&1; exit $r"""
    answer = pool.run("dev", "sh", "-c", script)
    expect.contains(pool.run("dev", "dpkg", "-l", "fpt-app").text, "ii  fpt-app")
    expect.status(answer, 0)
    row = _one(pool, 0, state="done")
    expect.that("packagekit" in row["front_end"].lower() or "pkcon" in row["front_end"], row["front_end"])
    expect.equal({r[:2] for r in _packages(pool, row)}, {("fpt-app", "install"), ("fpt-lib", "install")})
