"""Finds the tests and holds them against coverage.toml, in both directions."""

import importlib.util
import os
import tomllib
from dataclasses import dataclass

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIERS = ("fast", "default", "long")


@dataclass(frozen=True)
class Test:
    """A test: `<area>/<file>::<behaviour>`, its tier, what it needs, what it cost when measured."""

    name: str
    path: str
    function: str
    tier: str
    needs: tuple
    seconds: float
    known: str = ""  # a fault of the product that this test shows and that is not mended yet


def _load(path):
    spec = importlib.util.spec_from_file_location("case_" + path.replace("/", "_")[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _files():
    for area in ("cases", "bench"):
        for directory, names, files in sorted(os.walk(os.path.join(TESTS, area))):
            names.sort()
            for name in sorted(files):
                if name.startswith("test_") and name.endswith(".py"):
                    yield os.path.join(directory, name)


def functions():
    """Every test function: name -> (path, function name)."""
    found = {}
    for path in _files():
        area = os.path.relpath(path, TESTS)[:-3].replace("/test_", "/").removeprefix("cases/")
        for name in vars(_load(path)):
            if name.startswith("test_"):
                found[f"{area}::{name[5:]}"] = (path, name)
    return found


def coverage():
    with open(os.path.join(TESTS, "coverage.toml"), "rb") as f:
        return tomllib.load(f)


def audit():
    """All tests, and the complaints about coverage.toml."""
    found, listed, problems, tests = functions(), coverage(), [], []
    for name in sorted(found.keys() - listed.keys()):
        problems.append(f"{name}: not listed in coverage.toml")
    for name in sorted(listed.keys() - found.keys()):
        problems.append(f"{name}: listed in coverage.toml, but there is no such test")
    for name, row in listed.items():
        unknown = row.keys() - {"tier", "needs", "seconds", "known"}
        if unknown or row.get("tier") not in TIERS or not isinstance(row.get("seconds"), (int, float)):
            problems.append(f"{name}: its row of coverage.toml is malformed")
        elif name in found:
            path, function = found[name]
            tests.append(Test(name, path, function, row["tier"], tuple(row.get("needs", ())), row["seconds"],
                              row.get("known", "")))
    return tests, problems


def function(name):
    """The test function of this name; only its own file is loaded."""
    area, _, behaviour = name.partition("::")
    folder, _, file_name = area.rpartition("/")
    top = TESTS if folder.split("/")[0] == "bench" else os.path.join(TESTS, "cases")
    return getattr(_load(os.path.join(top, folder, f"test_{file_name}.py")), f"test_{behaviour}")
