"""Ctrl-C typed on a real terminal, in each of the places where apt can be."""

from lib import expect

WAIT = "sh -c 'echo hook waits; : > /var/tmp/hook.started; while [ ! -e /var/tmp/hook.go ]; do sleep 0.05; done'"


def _with_hook(t, kind, file_number, extra=""):
    pool = t.pool("mini")
    pool.shell("dev", f"""cat > /etc/apt/apt.conf.d/{file_number}wait <<'END'
DPkg::{kind}::wait "{WAIT}";
{extra}
END""")
    return pool


def _interrupt(pool, words):
    terminal = pool.terminal("dev", "apt-get", "-q", "-y", "install", "fpt-hello=1")
    terminal.wait_for(words)
    terminal.ctrl_c()
    return terminal.finish()


def _settled(pool):
    expect.status(pool.fp("recover"), 0)
    rows = pool.history()
    expect.absent([r["state"] for r in rows], "open", "states")
    return rows


def _installed(pool):
    return "ii  fpt-hello" in pool.run("dev", "dpkg", "-l", "fpt-hello").text


def _nothing_happened(pool):
    rows = _settled(pool)
    expect.that(not _installed(pool), "fpt-hello was installed")
    expect.that(all(r["state"] in ("interrupted", "failed") for r in rows), f"states: {[r['state'] for r in rows]}")
    for row in rows:
        expect.nothing(pool.ok("-p", "dev", "show", str(row["number"]))["packages"], "packages of a change that was not")
        expect.equal((row["pre"], row["post"]), (None, None), "snapshots of a change that was not")


def test_in_a_pre_invoke_hook_after_ours(t):
    pool = _with_hook(t, "Pre-Invoke", "99")
    expect.that(_interrupt(pool, "hook waits") != 0, "apt succeeded")
    _nothing_happened(pool)


def test_in_a_pre_install_pkgs_hook(t):
    pool = _with_hook(t, "Pre-Install-Pkgs", "99")
    expect.that(_interrupt(pool, "hook waits") != 0, "apt succeeded")
    _nothing_happened(pool)


def test_in_a_maintainer_script(t):
    pool = t.pool("mini")
    terminal = pool.terminal("dev", "apt-get", "-q", "-y", "install", "fpt-slow")
    terminal.wait_for("fpt-slow: waiting")
    terminal.ctrl_c()
    pool.shell("dev", "touch /var/tmp/fpt-slow.go")
    terminal.finish()
    rows = _settled(pool)
    expect.equal(len(rows), 1, "transactions")
    installed = "ii  fpt-slow" in pool.run("dev", "dpkg", "-l", "fpt-slow").text
    expect.equal(rows[0]["state"], "done" if installed else "failed")


def test_in_a_post_invoke_hook_before_ours(t):
    """Ours never runs, though the package is installed."""
    pool = _with_hook(t, "Post-Invoke", "01")
    expect.that(_interrupt(pool, "hook waits") != 0, "apt succeeded")
    expect.that(_installed(pool), "fpt-hello was not installed")
    rows = _settled(pool)
    expect.equal([r["state"] for r in rows], ["interrupted"])
    expect.contains({p["name"] for p in pool.ok("-p", "dev", "show", str(rows[0]["number"]))["packages"]}, "fpt-hello")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.that(not _installed(pool), "the undo did not take the package back")


def test_in_a_post_invoke_hook_after_ours(t):
    pool = _with_hook(t, "Post-Invoke", "99")
    _interrupt(pool, "hook waits")
    expect.that(_installed(pool), "fpt-hello was not installed")
    expect.equal([r["state"] for r in _settled(pool)], ["done"])


def test_at_apts_own_question(t):
    pool = t.pool("mini")
    terminal = pool.terminal("dev", "apt-get", "install", "fpt-app")
    terminal.wait_for("[Y/n]")
    terminal.ctrl_c()
    expect.that(terminal.finish() != 0, "apt succeeded")
    expect.nothing(_settled(pool), "transactions")
