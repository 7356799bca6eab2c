"""The harness itself: it ends when it is told to, tests no old build, and passes nothing it has not looked at."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

from lib import discover, expect, mounts
from lib.process import descendants, run, wait_until

LONG = "crash/commands::pool_create_half_way_is_told_and_can_be_forced"


def _runner(t):
    """A runner at work on one long test, its scratch below our directory."""
    scratch = t.path("scratch")
    os.mkdir(scratch)
    child = subprocess.Popen([sys.executable, discover.TESTS + "/run", "--tier", "default", "--bin-dir", t.programs, "-k", LONG],
                             env=os.environ | {"TMPDIR": scratch, "XDG_CACHE_HOME": t.path("cache")},
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    wait_until(lambda: mounts.loops_below(scratch), 60, "a pool of the inner test")
    return child, scratch


def _left():
    """Processes below us; orphans come to us, and those that have ended are no longer there."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return descendants()


def _ended(child, scratch, status):
    log = child.communicate(timeout=60)[0].decode()
    expect.equal(child.returncode, status, f"status of the runner, which said {log}")
    expect.contains(log, "interrupted")
    expect.nothing(os.listdir(scratch), "left in the scratch directory")
    expect.nothing(mounts.loops_below(scratch), "loop devices left")
    wait_until(lambda: not _left(), 10, "the end of all processes")


def test_ctrl_c_ends_the_suite_and_cleans_up(t):
    child, scratch = _runner(t)
    child.send_signal(signal.SIGINT)
    _ended(child, scratch, 130)


def test_a_sigterm_ends_the_suite_and_cleans_up(t):
    child, scratch = _runner(t)
    child.send_signal(signal.SIGTERM)
    _ended(child, scratch, 130)


def test_check_ends_what_it_started(t):
    """Only the classes are others: one that sleeps, with a child of its own."""
    top = t.path("top")
    os.makedirs(f"{top}/tests")
    shutil.copy(os.path.dirname(discover.TESTS) + "/check", top)
    for path, text in (("tests/prepare", "#!/bin/sh\n"), ("tests/toolchain.sh", "find_toolchain() { :; }\n"),
                       ("tests/classes.sh", f"class sleep sh -c 'sleep 600 & touch {t.path('begun')}; wait'\n")):
        with open(f"{top}/{path}", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(f"{top}/{path}", 0o755)
    cargo = t.path("bin")
    os.mkdir(cargo)
    os.symlink("/bin/true", f"{cargo}/cargo")
    for sign, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        child = subprocess.Popen([f"{top}/check", "fast"], env=os.environ | {"PATH": f"{cargo}:{os.environ['PATH']}"},
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                 # A shell cannot trap what was ignored when it began.
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        wait_until(lambda: os.path.exists(t.path("begun")), 20, "the class")
        child.send_signal(sign)
        log = child.communicate(timeout=20)[0].decode()
        expect.equal(child.returncode, status, f"status of check, which said {log}")
        wait_until(lambda: not _left(), 10, "the end of all processes")
        os.unlink(t.path("begun"))


def test_a_build_that_fails_leaves_no_older_package(t):
    """The build is ours, the source that it is made from is one that cannot be."""
    build, out = t.path("tests/build"), t.path("out")
    os.makedirs(build)
    shutil.copy(discover.TESTS + "/build/deb", build)
    with open(f"{build}/source", "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nexit 1\n")
    os.chmod(f"{build}/source", 0o755)
    places = [out, *(f"{out}/{name}" for name in ("trixie", "bookworm", "trixie-arm64", "here"))]
    for place in places:
        os.makedirs(place, exist_ok=True)
        open(f"{place}/flipper-profile_0.1.0_amd64.deb", "w", encoding="ascii").close()
    expect.that(run(f"{build}/deb", out).status != 0, "a build without source went well")
    expect.equal([os.listdir(place) for place in places[1:]], [[], [], [], []], "what is left")
    expect.absent(os.listdir(out), "flipper-profile_0.1.0_amd64.deb")


def test_a_lint_that_git_does_not_serve_fails(t):
    """Outside of a repository there is nothing to look at, and that is no success."""
    lint = t.path("tests/lint")
    os.makedirs(lint)
    for name in ("size", "shell"):
        shutil.copy(f"{discover.TESTS}/lint/{name}", lint)
        answer = run(f"{lint}/{name}", env=os.environ | {"GIT_CEILING_DIRECTORIES": os.path.dirname(t.dir)})
        expect.that(answer.status != 0, f"{name} passed without having seen a file: {answer}")
