"""Runs one test inside the namespace the runner made for it, and leaves nothing behind."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

from lib import discover, expect, mounts, process, recipes
from lib.context import Context, Options


def _on_term(_signal, _frame):
    # Once: what follows is cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise TimeoutError("the test was ended by the runner: it took longer than its limit, or the whole run was ended")


def clean_up(directory):
    """Ends processes, unmounts, detaches and deletes; returns what resisted."""
    problems = [f"process {pid} did not end" for pid in process.end_descendants()]
    mounts.unmount_below(directory)
    mounts.detach_loops_below(directory)
    try:
        shutil.rmtree(directory)
    except OSError as error:
        problems.append(f"cannot remove {directory}: {error}")
    return problems


def _outcome(body, context):
    try:
        body(context)
        return "passed", ""
    except expect.Skip as skip:
        return "skipped", str(skip)
    except expect.Failure as failure:
        where = traceback.extract_tb(failure.__traceback__)
        line = next((f for f in reversed(where) if "/lib/expect.py" not in f.filename), where[-1])
        return "failed", f"{os.path.basename(line.filename)}:{line.lineno}: {failure}"
    except Exception:
        return "failed", traceback.format_exc()


def _body(name):
    if name.startswith("prepare:"):
        return lambda context: recipes.prepare(context, name.removeprefix("prepare:"))
    return discover.function(name)


def main(name, options_json, result_file):
    """Entry point of the isolated process."""
    options = Options.from_json(options_json)
    process.become_subreaper()
    signal.signal(signal.SIGTERM, _on_term)
    directory = tempfile.mkdtemp(prefix="fptest-", dir=os.environ.get("TMPDIR"))
    os.chmod(directory, 0o755)
    os.environ["FLIPPER_TEST_DIR"] = directory
    context = Context(options, directory)
    begun = time.monotonic()
    state, message = _outcome(_body(name), context)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    took = time.monotonic() - begun
    if options.keep and state == "failed":
        context.notes.append(f"kept: {directory}")
        process.end_descendants()
    else:
        problems = clean_up(directory)
        if problems and state == "passed":
            state, message = "failed", "left behind: " + "; ".join(problems)
    with open(result_file, "w", encoding="utf-8") as f:
        json.dump({"state": state, "message": message, "seconds": took, "notes": context.notes}, f)
    sys.stdout.flush()
