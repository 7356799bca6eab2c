"""Holds what the command prints with --json against the schemas that it ships."""

import functools
import json
import os

import jsonschema

from lib import expect

DIRECTORY = os.path.join(os.path.dirname(__file__), "../../flipper-profile/schemas")
PREFIX = "flipper-profile/"


def _read(name):
    with open(f"{DIRECTORY}/{name}", encoding="utf-8") as f:
        return json.load(f)


def _whole(part, file):
    """A schema with what it refers to in place: no release of the library resolves files as another does."""
    if isinstance(part, list):
        return [_whole(item, file) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" not in part:
        return {key: _whole(value, file) for key, value in part.items()}
    name, _, place = part["$ref"].partition("#/")
    found = _read(name or file)
    for word in place.split("/"):
        found = found[word]
    return _whole(found, name or file)


@functools.lru_cache(maxsize=None)
def _validator(verb):
    schema = _whole(_read(f"{verb}.json"), f"{verb}.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(output):
    """Does nothing when the output is none of our envelopes: a program inside a profile prints what it likes."""
    try:
        envelope = json.loads(output.stdout)
        name = envelope["schema"]
    except (ValueError, TypeError, KeyError):
        return
    verb = name.removeprefix(PREFIX).partition("/")[0]
    found = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in _validator(verb).iter_errors(envelope)]
    if found:
        raise expect.Failure(f"not by the schema of {verb}: " + "; ".join(found) + f"\n{output}")
