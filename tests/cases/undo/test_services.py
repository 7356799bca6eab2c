"""A live undo in a profile that systemd runs: services whose packages go, change or stay."""

from lib import expect, handmade, roundtrip, systemd

UNIT = "/usr/lib/systemd/system/fpt-service.service"
PROGRAM = "/usr/libexec/fpt-service"
# What a running system writes of its own accord.
LIVES = [b"/var/lib/systemd", b"/etc/.updated", b"/var/.updated", b"/etc/machine-id", b"/var/lib/dbus"]
START = "#!/bin/sh\nset -e\n[ ! -d /run/systemd/system ] || { systemctl daemon-reload; systemctl restart fpt-service; }\n"


def _service(pool, version, unit=""):
    """A package with a service that says its version."""
    files = {
        UNIT: (f"[Unit]\n{unit}\n[Service]\nExecStart={PROGRAM}\n", 0o644),
        PROGRAM: (f"#!/bin/sh\necho {version} > /run/fpt-service.version\nexec sleep infinity\n", 0o755),
    }
    return handmade.build(pool, "fpt-service", version, files, {"postinst": START})


def _undo(pool, *flags, status=0, env=None):
    return expect.status(pool.fp("--yes", "-p", "dev", "undo", *flags, env=env), status)


def _running(machine):
    expect.equal(machine.is_active("fpt-service"), "active")
    return machine.main_pid("fpt-service"), machine.ok("cat", "/run/fpt-service.version").text.strip()


def test_nginx_used_in_between(t):
    """The service that goes is stopped before its files go, and no process of it is left."""
    pool = t.pool("real")
    expect.status(pool.install("systemd"), 0)
    with systemd.machine(pool) as machine:
        before = pool.reading()
        machine.ok("apt-get", "-q", "-y", "install", "nginx")
        expect.equal(machine.is_active("nginx"), "active")
        pid = machine.main_pid("nginx")
        checked = _undo(pool, "--check").result
        expect.equal(checked["services"]["stopped"], ["nginx.service"], "what --check says")
        expect.equal(machine.main_pid("nginx"), pid, "the process after --check")
        result = _undo(pool).result
        expect.equal((result["mode"], result["services"]["stopped"]), ("live", ["nginx.service"]))
        expect.equal(result["notes"], [])
        expect.equal(machine.is_active("nginx"), "inactive")
        expect.equal(machine.systemctl("show", "-P", "LoadState", "nginx").text.strip(), "not-found")
        expect.equal(machine.run("pidof", "nginx").text, "", "processes of nginx")
        roundtrip.equal(pool, before, "after the live undo", ignore=LIVES)


def test_an_upgrade_undone_restarts_the_service_once_or_only_lists_it(t):
    pool = t.pool("real")
    first, second = _service(pool, "1"), _service(pool, "2")
    expect.status(pool.install("systemd"), 0)
    with systemd.machine(pool) as machine:
        machine.ok("dpkg", "-i", first)
        machine.ok("dpkg", "-i", second)
        pid, version = _running(machine)
        expect.equal(version, "2")
        result = _undo(pool).result
        expect.equal(result["services"], {"stopped": [], "restarted": ["fpt-service.service"], "by_hand": []})
        new_pid, version = _running(machine)
        expect.equal((version, new_pid != pid), ("1", True), "version and process after the undo")
        pool.ok("--yes", "-p", "dev", "redo", "--no-restart")
        expect.equal(_running(machine), (new_pid, "1"), "process and version after a redo that restarts nothing")
        expect.equal(machine.ok("cat", PROGRAM).text.splitlines()[1].split()[1], "2", "version on disk")
        checked = _undo(pool, "--check", "--no-restart").result
        expect.equal(checked["services"]["by_hand"], ["fpt-service.service"])


def test_a_service_that_does_not_stop_keeps_everything_as_it_is(t):
    pool = t.pool("real")
    package = _service(pool, "1", unit="RefuseManualStop=yes")
    expect.status(pool.install("systemd"), 0)
    with systemd.machine(pool) as machine:
        machine.run("dpkg", "-i", package)
        machine.systemctl("start", "fpt-service")
        state, rows, before = _running(machine), pool.history(), pool.reading()
        answer = _undo(pool, status=1)
        expect.equal(answer.error["situation"], "services")
        expect.contains(answer.error["message"], "fpt-service")
        expect.equal((_running(machine), pool.history()), (state, rows), "service and history")
        roundtrip.equal(pool, before, "after the refusal", ignore=LIVES)
        expect.equal(pool.ok("recover"), pool.ok("recover"), "what recover finds")


def test_an_undo_that_was_cut_restarts_its_services_in_recover(t):
    """Killed when the last file is in place and systemd has not heard of it."""
    pool = t.pool("real")
    first, second = _service(pool, "1"), _service(pool, "2")
    expect.status(pool.install("systemd"), 0)
    with systemd.machine(pool) as machine:
        machine.ok("dpkg", "-i", first)
        machine.ok("dpkg", "-i", second)
        pid, _ = _running(machine)
        trace = t.path("trace")
        _undo(pool, env={"FLIPPER_FAULT_TRACE": trace})
        pool.ok("--yes", "-p", "dev", "redo")
        with open(trace, encoding="utf-8") as f:
            effects = [line.split(" ", 2) for line in f]
        expect.equal(_running(machine)[1], "2")
        runs = [name for _, name, _ in effects if name == "run"]
        answer = pool.fp("--yes", "-p", "dev", "undo", env={"FLIPPER_FAULT_AT": f"run:{len(runs)}"})
        expect.equal(answer.status, 128 + 9, "status of the undo that was killed")
        expect.equal(_running(machine)[1], "2", "version that runs after the cut")
        pool.ok("recover")
        new_pid, version = _running(machine)
        expect.equal((version, new_pid != pid), ("1", True), "version and process after recover")
        expect.equal([row["state"] for row in pool.history()][:1], ["done"])


def test_what_runs_is_not_replaced_under_it_unless_asked_for(t):
    """The loader anywhere; systemd's library only where systemd runs."""
    pool = t.pool("real")
    loader = handmade.build(pool, "fpt-loader", "1", {"/usr/lib/fpt/ld-linux-fpt.so.2": ("x", 0o755)})
    library = handmade.build(pool, "fpt-library", "1", {"/usr/lib/fpt/libsystemd-shared-1.so": ("x", 0o644)})
    expect.status(pool.install("systemd"), 0)
    with systemd.machine(pool) as machine:
        for package, part in ((loader, "the C library"), (library, "systemd")):
            machine.ok("dpkg", "-i", package)
            before = pool.reading()
            answer = _undo(pool, status=3)
            expect.equal(answer.error["situation"], "not-live")
            expect.contains(answer.error["hint"], "--live")
            expect.equal([item["reason"] for item in answer.result["not_live"]], [f"part of {part}"])
            roundtrip.equal(pool, before, "after the refusal", ignore=LIVES)
            expect.contains(" ".join(_undo(pool, "--live").result["notes"]), part)
