"""`run`: what a command inside a profile sees, and what comes back."""

import os
import signal

from lib import command, expect, session


def test_passes_the_exit_status_on(t):
    pool = t.pool("mini")
    for code in (0, 1, 42, 100):
        expect.status(pool.run("dev", "sh", "-c", f"exit {code}"), code)


def test_a_signal_becomes_128_plus_its_number(t):
    expect.status(t.pool("mini").run("dev", "sh", "-c", "kill -TERM $$"), 128 + signal.SIGTERM)


def test_its_own_failures_are_as_of_env(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "/no/such/program"), 127)
    expect.status(pool.run("dev", "/etc/passwd"), 126)
    expect.status(pool.run("nosuchprofile", "true"), 125)


def test_standard_streams_are_passed_through(t):
    answer = t.pool("mini").run("dev", "sh", "-c", "cat; echo err >&2", input=b"in\n\xff\0")
    expect.equal((answer.status, answer.stdout, answer.stderr), (0, b"in\n\xff\0", b"err\n"))


def test_arguments_arrive_unchanged(t):
    odd = ["-x", "--json", "a b", "", "new\nline", "$HOME", "*"]
    answer = t.pool("mini").run("dev", "printf", "%s\\0", *odd)
    expect.equal(answer.stdout, b"".join(a.encode() + b"\0" for a in odd))


def test_the_filesystems_of_a_system_are_there(t):
    inside = t.pool("mini").shell("dev", """
        test -r /proc/self/status; test -d /sys/class; test -c /dev/null; test -w /run; test -c /dev/ptmx
        test "$(cat /proc/1/comm)" != "" ; awk '$5=="/data"' /proc/self/mountinfo
        echo ok""")
    expect.contains(inside.text, "ok")
    expect.contains(inside.text, "/data")


def test_has_a_pid_namespace_of_its_own(t):
    pool = t.pool("mini")
    seen = pool.shell("dev", "ls -d /proc/[0-9]* | wc -l").text
    expect.that(int(seen) < 12, f"{seen.strip()} processes are visible inside")


def test_names_are_resolved(t):
    pool = t.pool("mini")
    with open("/etc/resolv.conf", encoding="utf-8") as f:
        servers = [line for line in f if line.startswith("nameserver")]
    inside = pool.run_ok("dev", "cat", "/etc/resolv.conf").text
    for line in servers:
        expect.contains(inside, line.strip())


def test_services_are_not_started(t):
    """invoke-rc.d asks policy-rc.d: with ours it starts nothing, with one that allows it it does."""
    pool = t.pool("mini")
    expect.status(pool.run("dev", "sh", "-c", "test ! -d /run/systemd/system"), 0)
    pool.shell("dev", """mkdir -p /etc/init.d
        printf '#!/bin/sh\necho "$1" >> /srv/service\n' > /etc/init.d/fpt-service
        printf '#!/bin/sh\nexit 0\n' > /srv/allowed
        chmod 755 /etc/init.d/fpt-service /srv/allowed
        for level in 2 3 4 5; do mkdir -p /etc/rc$level.d; ln -s ../init.d/fpt-service /etc/rc$level.d/S01fpt-service; done""")
    pool.run("dev", "invoke-rc.d", "fpt-service", "start")
    expect.equal(pool.run("dev", "cat", "/srv/service").text, "", "what was done to the service")
    pool.run("dev", "unshare", "-m", "sh", "-c",
             "mount --bind /srv/allowed /usr/sbin/policy-rc.d; invoke-rc.d fpt-service start")
    expect.equal(pool.run("dev", "cat", "/srv/service").text, "start\n", "the service where it is allowed")


def test_state_is_kept_apart_from_the_upper(t):
    pool = t.pool("mini")
    pool.shell("dev", "echo s > /home/file; echo s > /var/log/file; echo s > /srv/file; echo u > /opt/file")
    with pool.top() as top:
        directory, content = pool.profile_file(top, "dev")
        expect.that(os.path.exists(f"{directory}/upper/opt/file"), "an ordinary file is not in the upper")
        for path in ("home/file", "var/log/file", "srv/file"):
            expect.that(not os.path.exists(f"{directory}/upper/{path}"), f"{path} is in the upper")
        expect.that(os.path.isdir(f"{top}/@state/{content['id']}"), "no @state of the profile")
    expect.equal(pool.shell("dev", "cat /home/file /var/log/file /srv/file").text, "s\ns\ns\n")


def test_state_is_seeded_from_the_base(t):
    seen = t.pool("mini").shell("dev", "ls -d /var/log/apt /var/cache/apt/archives/partial /root/.bashrc").text
    expect.equal(len(seen.split()), 3)


def test_personal_data_is_shared_between_profiles(t):
    pool = t.pool("mini")
    pool.ok("create", "other")
    pool.shell("dev", "echo shared > /data/file")
    expect.equal(pool.shell("other", "cat /data/file").text, "shared\n")


def test_session_file_tells_where_one_is(t):
    import json
    pool = t.pool("mini")
    told = json.loads(pool.run_ok("dev", "cat", "/run/flipper-profile/session.json").text)
    expect.equal((told["mode"], told["base"], told["profile"]), ("entered", "v1", pool.ok("info", "dev")["id"]))


def test_the_command_inside_knows_its_profile(t):
    pool = t.pool("mini")
    answer = pool.run_ok("dev", "flipper-profile", "--json", "status")
    import json
    expect.equal(json.loads(answer.stdout)["result"]["profile_name"], "dev")


def test_the_command_is_passed_as_is_to_a_terminal(t):
    terminal = t.pool("mini").terminal("dev", "sh", "-c", "test -t 0 && test -t 1 && tty && stty size && echo all-good")
    expect.equal(terminal.finish(), 0, terminal.text.decode(errors="replace"))
    expect.contains(terminal.text.decode(), "all-good")


def test_ctrl_c_reaches_the_program_inside(t):
    terminal = t.pool("mini").terminal(
        "dev", "sh", "-c", "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done")
    terminal.wait_for("ready")
    terminal.ctrl_c()
    expect.equal(terminal.finish(), 7, terminal.text.decode(errors="replace"))


def test_a_profile_whose_base_was_replaced_is_refused(t):
    """The pin is version and tree hash: another tree under the same name is another base."""
    from lib.process import run_ok
    pool = t.pool("mini")
    with pool.top() as top:
        run_ok("btrfs", "-q", "subvolume", "snapshot", f"{top}/@base/v1", f"{top}/changed")
        run_ok("btrfs", "property", "set", "-f", f"{top}/@base/v1", "ro", "false")
        run_ok("btrfs", "-q", "subvolume", "delete", f"{top}/@base/v1")
        os.rename(f"{top}/changed", f"{top}/@base/v1")
        run_ok("btrfs", "property", "set", f"{top}/@base/v1", "ro", "true")
    answer = pool.run("dev", "true")
    expect.status(answer, 125)


def test_two_profiles_run_at_once(t):
    pool = t.pool("mini")
    pool.ok("create", "other")
    with session.inside(pool, "dev") as one, session.inside(pool, "other") as two:
        one.say("echo one > /etc/mark")
        two.say("echo two > /etc/mark")
        expect.equal((one.say("cat /etc/mark"), two.say("cat /etc/mark")), ("one\n", "two\n"))


def test_it_works_in_a_chroot(t):
    """There the root of a mount namespace is not the root of the processes in it."""
    pool = t.pool("mini")
    root = t.path("chroot")
    os.mkdir(root)
    in_chroot = ("unshare", "--mount", "sh", "-c",
                 'mount --make-rprivate / && mount --rbind / "$0" && exec chroot "$0" "$@"', root)

    def run(*argv):
        return command.call(*in_chroot, t.program(), "--pool", pool.image, "run", "dev", "--", *argv)
    expect.status(run("sh", "-c", "test -e /run/flipper-profile/session.json && exit 42"), 42)
    with session.inside(pool) as inside:
        inside.say("echo mine > /run/mark")
        expect.equal(run("cat", "/run/mark").text, "mine\n")
