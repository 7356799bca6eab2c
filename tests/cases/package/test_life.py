"""Our own package in a profile: install, upgrade, remove, purge, reinstall; apt never breaks."""

import os

from lib import expect, session


def _apt_works(pool):
    expect.status(pool.install("fpt-hello=1"), 0)
    expect.status(pool.apt("purge", "fpt-hello"), 0)


def _own_package(pool):
    return pool.shell("dev", "ls /opt/fpt/product/flipper-profile_*.deb | head -1").text.strip()


def test_removed_but_not_purged_it_breaks_nothing(t):
    pool = t.pool("mini")
    expect.status(pool.apt("remove", "flipper-profile"), 0)
    expect.contains(pool.shell("dev", "ls /etc/apt/apt.conf.d").text, "flipper-profile")
    answer = pool.install("fpt-hello=1")
    expect.status(answer, 0)
    expect.absent((answer.text + answer.errors).lower(), "flipper-profile:")
    expect.status(pool.run("dev", "dpkg", "-r", "fpt-hello"), 0)


def test_purged_it_leaves_no_configuration_and_every_profile(t):
    pool = t.pool("mini")
    expect.status(pool.apt("purge", "flipper-profile"), 0)
    expect.equal(pool.run("dev", "sh", "-c", "ls /etc/apt/apt.conf.d /etc/dpkg/dpkg.cfg.d | grep -c flipper").text.strip(), "0")
    _apt_works(pool)
    expect.equal([p["name"] for p in pool.ok("list")["profiles"]], ["dev"])


def test_its_own_removal_is_a_transaction_that_can_be_undone(t):
    from oracle import tree
    pool = t.pool("mini")
    before = pool.reading()
    expect.status(pool.apt("purge", "flipper-profile"), 0)
    expect.status(pool.fp("recover"), 0)
    pool.ok("--yes", "-p", "dev", "undo")
    expect.nothing(tree.compare(before, pool.reading()), "differences after the undo")


def test_reinstalled_by_apt_it_goes_on_recording(t):
    pool = t.pool("mini")
    expect.status(pool.install("--reinstall", _own_package(pool)), 0)
    expect.equal(pool.newest()["state"], "done")
    _apt_works(pool)
    expect.equal({r["state"] for r in pool.history()}, {"done"})


def test_reinstalled_by_dpkg_it_goes_on_recording(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "dpkg", "-i", _own_package(pool)), 0)
    expect.equal(pool.newest()["state"], "done")


def test_upgraded_in_the_middle_of_a_transaction(t):
    """The hook that ends the transaction is another file than the one that began it."""
    pool = t.pool("mini")
    pool.shell("dev", """cd /srv; dpkg-deb -R /opt/fpt/product/flipper-profile_*.deb new
        sed -i 's/^Version: .*/&+test1/' new/DEBIAN/control; dpkg-deb -Znone -b new newer.deb >/dev/null""")
    expect.status(pool.install("/srv/newer.deb", "fpt-hello=1"), 0)
    row = pool.newest()
    expect.equal(row["state"], "done")
    names = {p["name"] for p in pool.ok("-p", "dev", "show", str(row["number"]))["packages"]}
    expect.equal(names, {"flipper-profile", "fpt-hello"})


def test_the_trigger_runs_after_a_change_by_bare_dpkg(t):
    pool = t.pool("mini")
    answer = pool.run("dev", "dpkg", "-i", "/opt/fpt/repo/fpt-conf_1_all.deb")
    expect.status(answer, 0)
    expect.contains(answer.text, "Processing triggers for flipper-profile")


def test_the_trigger_is_told_what_the_hooks_record_and_no_more(t):
    """The hooks leave word for as long as they are at work; a dpkg past them is noted all the same."""
    pool = t.pool("mini")
    covered = "ls /run/flipper-profile/covered 2>/dev/null | wc -l"
    with session.inside(pool) as inside:
        inside.say(f"apt-get -q -y -o DPkg::Pre-Install-Pkgs::probe='cat > /dev/null; {covered} > /srv/within' install fpt-hello=1")
        expect.equal(inside.say("cat /srv/within").strip(), "1", "words left within a change")
        expect.equal(inside.say(covered).strip(), "0", "words left after it")
        # Word of another process says nothing of this one.
        inside.say("touch /run/flipper-profile/covered/1-2-3; mv /etc/dpkg/dpkg.cfg.d/flipper-profile /srv/")
        inside.say("dpkg -i /opt/fpt/repo/fpt-conf_1_all.deb; mv /srv/flipper-profile /etc/dpkg/dpkg.cfg.d/")
        with pool.top() as top:
            expect.equal(len(os.listdir(f"{top}/@flipper/notes")), 1, "notes of the dpkg that no hook saw")
        inside.say("apt-get -q -y purge fpt-hello")
    expect.equal([len(pool.ok("-p", "dev", "show", str(r["number"]))["packages"]) for r in pool.history()[:3]], [1, 1, 1])


def test_a_trigger_program_that_cannot_run_breaks_no_apt(t):
    """Killed by itself, as it would be for want of memory; missing; of another architecture."""
    pool = t.pool("mini")
    program = "/usr/libexec/flipper-profile/trigger"
    broken = {"137": f"printf '#!/bin/sh\\nkill -KILL $$\\n' > {program}", "127": f"rm {program}",
              "126": f"mkdir {program}"}
    for number, (status, command) in enumerate(broken.items()):
        pool.shell("dev", command)
        answer = pool.run("dev", "dpkg", "-i", "/opt/fpt/repo/fpt-conf_1_all.deb")
        expect.status(answer, 0)
        told = [line for line in (answer.text + answer.errors).splitlines() if line.startswith("W: flipper-profile")]
        expect.that(len(told) == 1 and told[0].endswith(f"ended with {status}"), f"{status}: {told}")
        expect.equal(pool.shell("dev", "dpkg --audit").text, "", f"{status}: audit")
        expect.status(pool.install("fpt-hello=1") if number % 2 == 0 else pool.apt("purge", "fpt-hello"), 0)
    expect.nothing(pool.shell("dev", "dpkg --audit").text, "left half-configured")


def test_the_programs_are_where_the_hooks_look(t):
    pool = t.pool("mini")
    listed = pool.run_ok("dev", "dpkg", "-L", "flipper-profile").text.split("\n")
    for path in ("/usr/bin/flipper-profile", "/usr/libexec/flipper-profile/apt-hook", "/usr/libexec/flipper-profile/trigger",
                 "/usr/share/man/man1/flipper-profile.1.gz"):
        expect.contains(listed, path)
    expect.that(not any(os.path.basename(p) == "dpkg-trigger" for p in listed), "a program named dpkg-trigger")


def test_the_hooks_do_nothing_where_there_is_no_pool(t):
    """On a plain system with our package installed apt works and says nothing."""
    from lib import rooted
    root = rooted.unpack(t, "mini")
    answer = rooted.inside(root, "apt-get", "-q", "-y", "install", "fpt-hello=1")
    expect.status(answer, 0)
    expect.absent(answer.text + answer.errors, "W: flipper-profile")


def test_a_bookworm_profile_runs_our_hooks_too(t):
    pool = t.pool("bookworm")
    expect.status(pool.install("fpt-conf=1"), 0)
    expect.equal(pool.newest()["state"], "done")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.absent(pool.run("dev", "dpkg", "-l").text, "ii  fpt-conf")
