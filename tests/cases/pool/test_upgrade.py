"""`pool upgrade`: who could read the result."""

from lib import expect


def _tools(pool):
    return {tool["what"]: tool["version"] for tool in pool.ok("pool", "upgrade", "--dry-run")["tools"]}


def test_it_lists_every_base_and_profile_with_its_version_of_the_tool(t):
    pool = t.pool("mini")
    shipped = pool.run_ok("dev", "dpkg-query", "-W", "-f", "${Version}", "flipper-profile").text
    pool.ok("create", "bare")
    expect.status(pool.apt("purge", "flipper-profile", profile="bare"), 0)
    pool.ok("create", "older")
    # What dpkg says is what counts: another release of the package, unpacked in this profile alone.
    pool.shell("older", """sed -i '/^Package: flipper-profile$/,/^$/ s/^Version: .*/Version: 0.0.1/' /var/lib/dpkg/status""")
    base = pool.ok("info", "dev")["base"]
    expect.equal(_tools(pool), {f"base {base}": shipped, "profile dev": shipped, "profile bare": None,
                                "profile older": "0.0.1"})
    plain = expect.status(pool.plain("pool", "upgrade", "--dry-run"), 0).text
    for words in ("older", "0.0.1", "bare"):
        expect.contains(plain, words)


def test_there_is_nothing_to_raise_yet_and_nothing_is_changed(t):
    pool = t.pool("mini")
    before = pool.ok("pool", "info")["format"]
    answer = pool.ok("--yes", "pool", "upgrade")
    expect.equal((answer["changed"], answer["features"], answer["readers"]), (False, [], []))
    expect.equal(pool.ok("pool", "info")["format"], before)
