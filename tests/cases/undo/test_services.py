"""A live undo in a profile that systemd runs: services whose packages go, change or stay."""

import contextlib

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


@contextlib.contextmanager
def _system(pool):
    """The profile with systemd as its first process."""
    expect.status(pool.install("systemd"), 0)
    with systemd.machine(pool) as machine:
        yield machine


@contextlib.contextmanager
def _upgraded(pool):
    """The same with our service, upgraded from its first version to its second."""
    first, second = _service(pool, "1"), _service(pool, "2")
    with _system(pool) as machine:
        machine.ok("dpkg", "-i", first)
        machine.ok("dpkg", "-i", second)
        yield machine


def _undo(pool, *flags, status=0, env=None):
    return expect.status(pool.fp("--yes", "-p", "dev", "undo", *flags, env=env), status)


def _running(machine):
    expect.equal(machine.is_active("fpt-service"), "active")
    return machine.main_pid("fpt-service"), machine.ok("cat", "/run/fpt-service.version").text.strip()


def test_nginx_used_in_between(t):
    """The service that goes is stopped before its files go, and no process of it is left; a redo brings it back running."""
    pool = t.pool("real")
    with _system(pool) as machine:
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
        result = pool.ok("--yes", "-p", "dev", "redo")
        expect.equal((result["services"]["started"], result["notes"]), (["nginx.service"], []))
        expect.equal(machine.is_active("nginx"), "active", "after the redo")


def test_what_comes_back_runs_when_something_that_runs_wants_it(t):
    """Three units of a package that is removed: one is enabled, one is not, one is wanted by a target that is not active."""
    pool = t.pool("real")
    unit = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy={}\n"
    files = {f"/usr/lib/systemd/system/fpt-{name}.service": (unit.format(target), 0o644)
             for name, target in (("on", "multi-user.target"), ("off", "multi-user.target"), ("rescue", "rescue.target"))}
    package = handmade.build(pool, "fpt-units", "1", files)
    with _system(pool) as machine:
        machine.ok("dpkg", "-i", package)
        machine.ok("systemctl", "enable", "--now", "fpt-on")
        machine.ok("systemctl", "enable", "fpt-rescue")
        machine.systemctl("stop", "fpt-on")
        machine.ok("dpkg", "-r", "fpt-units")
        machine.ok("systemctl", "daemon-reload")
        checked = _undo(pool, "--check").result
        expect.equal(checked["services"], {"stopped": [], "restarted": [], "started": ["fpt-on.service"], "by_hand": []})
        expect.equal(machine.is_active("fpt-on"), "inactive", "after --check")
        listed = _undo(pool, "--no-restart").result["services"]
        expect.equal((listed["started"], listed["by_hand"]), ([], ["fpt-on.service"]))
        expect.equal(machine.is_active("fpt-on"), "inactive", "after an undo that starts nothing")
        pool.ok("--yes", "-p", "dev", "redo")
        expect.equal(_undo(pool).result["services"]["started"], ["fpt-on.service"])
        states = [machine.is_active(f"fpt-{name}") for name in ("on", "off", "rescue")]
        expect.equal(states, ["active", "inactive", "inactive"])


def test_an_upgrade_undone_restarts_the_service_once_or_only_lists_it(t):
    pool = t.pool("real")
    with _upgraded(pool) as machine:
        pid, version = _running(machine)
        expect.equal(version, "2")
        result = _undo(pool).result
        expect.equal(result["services"], {"stopped": [], "restarted": ["fpt-service.service"], "started": [], "by_hand": []})
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
    with _system(pool) as machine:
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
    with _upgraded(pool) as machine:
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
    with _system(pool) as machine:
        for package, part in ((loader, "the C library"), (library, "systemd")):
            machine.ok("dpkg", "-i", package)
            before = pool.reading()
            answer = _undo(pool, status=3)
            expect.equal(answer.error["situation"], "not-live")
            expect.contains(answer.error["hint"], "--live")
            expect.equal([item["reason"] for item in answer.result["not_live"]], [f"part of {part}"])
            roundtrip.equal(pool, before, "after the refusal", ignore=LIVES)
            expect.contains(" ".join(_undo(pool, "--live").result["notes"]), part)


def test_a_restored_file_restarts_its_service_and_one_that_comes_back_starts(t):
    pool = t.pool("real")
    first, second = _service(pool, "1", unit="Wants=basic.target"), _service(pool, "2")
    with _system(pool) as machine:
        machine.ok("dpkg", "-i", first)
        machine.ok("systemctl", "add-wants", "multi-user.target", "fpt-service.service")
        machine.ok("dpkg", "-i", second)
        pid, version = _running(machine)
        expect.equal(version, "2")
        restore = ("--yes", "-p", "dev", "restore", PROGRAM, "--from", str(pool.newest()["number"]))
        checked = pool.ok(*restore, "--check")["services"]
        expect.equal(checked, {"stopped": [], "restarted": ["fpt-service.service"], "started": [], "by_hand": []})
        expect.equal(pool.ok(*restore, "--check", "--no-restart")["services"]["by_hand"], ["fpt-service.service"])
        expect.equal(machine.main_pid("fpt-service"), pid, "the process after --check")
        result = pool.ok(*restore)
        expect.equal((result["mode"], result["services"]), ("live", checked))
        new_pid, version = _running(machine)
        expect.equal((version, new_pid != pid), ("1", True), "version and process after the restore")
        machine.shell(f"systemctl stop fpt-service; rm {UNIT}; systemctl daemon-reload")
        result = pool.ok("--yes", "-p", "dev", "restore", UNIT, "--from", str(pool.newest()["number"]))
        expect.equal(result["services"]["started"], ["fpt-service.service"])
        _running(machine)


def _data(machine, directory):
    """One sum over the name, owner and content of every file below a directory."""
    return machine.shell(f"cd {directory} && {{ find . -type f -printf '%p %U %s\\n'; find . -type f -exec cksum {{}} +; }} | "
                         "LC_ALL=C sort | sha256sum")


def test_postgresql_with_a_table_written_in_between(t):
    """The server goes, its data stays and is told of before; a redo finds the table again."""
    pool = t.pool("real")
    expect.status(pool.install("systemd"), 0)
    sql = "su postgres -c 'psql -Atc \"{}\"'"
    with systemd.machine(pool) as machine:
        machine.ok("apt-get", "-q", "-y", "install", "postgresql")
        expect.equal(machine.is_active("postgresql@17-main"), "active")
        machine.shell(sql.format("create table kept as select 42 as answer"))
        checked = _undo(pool, "--check").result
        left = {item["path"]: item["reason"] for item in checked["left_behind"]}
        expect.equal(list(left), ["/var/lib/postgresql"], "what --check says stays")
        expect.contains(left["/var/lib/postgresql"], f"after transaction {checked['undoes']}")
        expect.contains(checked["services"]["stopped"], "postgresql@17-main.service")
        result = _undo(pool).result
        expect.equal((result["mode"], result["left_behind"]), ("live", checked["left_behind"]))
        expect.equal(machine.run("pidof", "postgres").text, "", "processes of the server")
        expect.status(machine.run("test", "-e", "/usr/lib/postgresql/17/bin/postgres"), 1)
        expect.status(machine.run("test", "-e", "/var/lib/postgresql/17/main/PG_VERSION"), 0)
        data = _data(machine, "/var/lib/postgresql")
        # Not started, so that nothing writes there.
        result = pool.ok("--yes", "-p", "dev", "redo", "--no-restart")
        expect.contains(result["services"]["by_hand"], "postgresql.service")
        expect.equal(_data(machine, "/var/lib/postgresql"), data, "the data after the redo")
        machine.ok("systemctl", "start", "postgresql")
        expect.equal(machine.is_active("postgresql@17-main"), "active")
        expect.equal(machine.shell(sql.format("select answer from kept")).strip(), "42")


def test_docker_with_storage_written_in_between(t):
    """Its storage is below a state path: it stays, and is told of."""
    pool = t.pool("real")
    with _system(pool) as machine:
        machine.ok("apt-get", "-q", "-y", "install", "docker.io")
        expect.equal(machine.is_active("containerd"), "active")
        machine.shell("mkdir -p /var/lib/docker/volumes/mine && echo kept > /var/lib/docker/volumes/mine/file")
        up = {unit for unit in ("containerd.service", "docker.service", "docker.socket") if machine.is_active(unit) == "active"}
        result = _undo(pool).result
        expect.equal(set(result["services"]["stopped"]), up, "services that were stopped")
        expect.contains([item["path"] for item in result["left_behind"]], "/var/lib/docker")
        expect.equal(machine.shell("cat /var/lib/docker/volumes/mine/file"), "kept\n")
        for program in ("dockerd", "containerd"):
            expect.equal(machine.run("pidof", program).text, "", f"processes of {program}")
