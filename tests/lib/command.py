"""Calls the built command and reads what it says."""

import base64
import json
import os
import subprocess

from lib import expect, schemas
from lib.process import Output, run, status_of


class Answer(Output):
    """An output of `flipper-profile --json`: the envelope, its result, its error."""

    @property
    def envelope(self):
        try:
            return json.loads(self.stdout)
        except ValueError:
            raise expect.Failure(f"stdout is not one JSON object\n{self}") from None

    @property
    def result(self):
        return self.envelope["result"]

    @property
    def error(self):
        return self.envelope["error"]


def environment(extra=None):
    """A clean environment: fixed PATH and locale, no terminal, only what the test adds."""
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive"}
    for kept in ("TMPDIR", "FLIPPER_TEST_DIR", "RUST_BACKTRACE"):
        if kept in os.environ:
            base[kept] = os.environ[kept]
    return base | (extra or {})


def call(program, *args, env=None, input=None, timeout=600):
    done = run(program, *args, env=environment(env), input=input, timeout=timeout)
    answer = Answer(done.argv, done.status, done.stdout, done.stderr)
    if "--json" in args:
        schemas.check(answer)
    return answer


def start(program, *args, env=None, **options):
    """Starts the command without waiting; the caller ends it (the harness does at the latest)."""
    return subprocess.Popen([program, *args], env=environment(env), stdin=options.pop("stdin", subprocess.DEVNULL),
                            stdout=options.pop("stdout", subprocess.PIPE),
                            stderr=options.pop("stderr", subprocess.PIPE), **options)


def finish(child, timeout=600):
    out, err = child.communicate(timeout=timeout)
    return Answer(child.args, status_of(child.returncode), out, err)


def path_of(row):
    """The path of a JSON row as bytes; names that are not UTF-8 come in base64 beside."""
    if row.get("path_b64"):
        return base64.b64decode(row["path_b64"])
    return row["path"].encode()
