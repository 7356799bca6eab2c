"""What random histories found, each as the smallest history that shows it."""

from lib import command, expect, roundtrip


def _installed(pool, *packages):
    """Installs one after the other; the numbers of the transactions."""
    numbers = []
    for package in packages:
        expect.status(pool.install(*package.split()), 0)
        numbers.append(pool.newest()["number"])
    return numbers


def _conflicts(pool, number):
    answer = expect.status(pool.fp("--yes", "-p", "dev", "undo", str(number)), 3)
    return {command.path_of(row): row for row in answer.envelope["result"]["conflicts"]}


def test_a_conflict_about_a_package_names_who_changed_that_package(t):
    pool = t.pool("mini")
    first, _, culprit, _ = _installed(pool, "fpt-hello=1", "fpt-lib", "fpt-hello=2", "fpt-links")
    row = _conflicts(pool, first)[b"/var/lib/dpkg/status"]
    expect.equal(row["transactions"], [culprit], row["reason"])


def test_a_place_that_is_gone_names_who_took_it(t):
    pool = t.pool("mini")
    expect.status(pool.apt("remove", "fpt-dirlink"), 0)
    first = pool.newest()["number"]
    culprit, _ = _installed(pool, "fpt-dirlink=2", "fpt-links")
    row = _conflicts(pool, first)[b"/usr/share/fpt-dirlink/d/data"]
    expect.equal(row.get("transactions"), [culprit], row["reason"])


def test_an_alternative_that_two_packages_share_stays_with_the_later_one(t):
    pool = t.pool("mini")
    first, _ = _installed(pool, "fpt-alt-a", "fpt-alt-b")
    roundtrip.undo_outside(pool, str(first))
    expect.equal(pool.run_ok("dev", "cat", "/usr/bin/fpt-tool", "/usr/share/fpt-tool.page").text, "b\nb\n")
    query = pool.run_ok("dev", "update-alternatives", "--query", "fpt-tool").text
    expect.contains(query, "Value: /usr/lib/fpt-alt-b/tool")
    expect.absent(query, "fpt-alt-a")


def test_an_alternative_is_what_the_one_that_stays_offers(t):
    """The better one goes again."""
    pool = t.pool("mini")
    _, second, _ = _installed(pool, "fpt-alt-a", "fpt-alt-b", "fpt-links")
    roundtrip.undo_outside(pool, str(second))
    expect.equal(pool.run_ok("dev", "cat", "/usr/bin/fpt-tool", "/usr/share/fpt-tool.page").text, "a\na\n")


def test_an_alternative_of_which_no_choice_is_left_leaves_no_link(t):
    pool = t.pool("mini")
    _, second = _installed(pool, "fpt-alt-b", "fpt-alt-a")
    expect.status(pool.apt("purge", "fpt-alt-b"), 0)
    roundtrip.undo_outside(pool, str(second))
    left = pool.run_ok("dev", "find", "/usr/bin", "/usr/share", "/etc/alternatives", "-maxdepth", "1", "-name", "fpt-tool*")
    expect.equal(left.text, "", "what is left of it")


def test_a_group_that_stays_has_no_member_who_goes(t):
    pool = t.pool("mini")
    number, = _installed(pool, "fpt-acc-one")
    pool.shell("dev", "useradd --no-create-home anna; usermod -a -G fptgroup anna")
    pool.ok("--yes", "-p", "dev", "undo", str(number), "--keep-mine")
    checked = pool.run("dev", "grpck", "-r")
    expect.equal(checked.status, 0, checked)
    # One who was put into a group that the transaction knows nothing of.
    number, = _installed(pool, "fpt-acc-two")
    users = set(pool.run_ok("dev", "cut", "-d:", "-f1", "/etc/passwd").text.split())
    user = next(name for name in users if name.startswith("fpt"))
    pool.shell("dev", f"usermod -a -G games {user}; echo 10.0.0.1 mine >>/etc/hosts")
    pool.ok("--yes", "-p", "dev", "undo", str(number))
    expect.equal(pool.run("dev", "getent", "passwd", user).status, 2, user)
    expect.equal(pool.run("dev", "grpck", "-r").status, 0, "grpck")
    expect.contains(pool.run_ok("dev", "getent", "group", "games").text, "games:x:60:\n")


def test_what_would_come_back_and_refuses_a_later_one_is_left_out(t):
    pool = t.pool("mini")
    _installed(pool, "fpt-rival")
    pool.run_ok("dev", "dpkg", "-P", "fpt-rival")
    number = str(pool.newest()["number"])
    _installed(pool, "fpt-hello")
    refused = expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3).envelope["result"]
    expect.contains(refused["conflicts"][0]["reason"], "fpt-rival:all has \"Conflicts: fpt-hello\"")
    pool.ok("--yes", "-p", "dev", "undo", number, "--keep-mine")
    expect.equal(pool.run("dev", "dpkg", "-s", "fpt-rival").status, 1, "exit status of dpkg -s")
    expect.equal(pool.run("dev", "dpkg", "-s", "fpt-hello").status, 0)
    expect.equal(pool.run_ok("dev", "sh", "-c", "dpkg --audit; apt-get -qq check").text, "")
