"""Pools under test: prepared images and a handle that speaks to them by command and by kernel."""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import uuid

from lib import bases, command, expect, mounts, toy
from lib.process import run_ok
from oracle import tree

# Small enough to be made in a second, far above the few thousand inodes of the test bases.
TEST_FLOOR = 1 << 17
BASE = "v1"
# What fills a pool, below its top level.
FILL = "@data/fill"


def edit_json(path, change):
    """Has `change` alter what a file holds."""
    with open(path, encoding="utf-8") as f:
        content = json.load(f)
    change(content)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(content, f)


class Pool:
    """One pool image.  `fp` asks the product; `top`, `merged`, `reading` look without it."""

    def __init__(self, context, image):
        self.context = context
        self.image = image

    def fp(self, *args, **options):
        """Runs the command with --json on this pool."""
        return command.call(self.context.program(), "--pool", self.image, "--json", *args, **options)

    def ok(self, *args, **options):
        """Runs the command, expects success, returns `result`."""
        return expect.status(self.fp(*args, **options), 0).result

    def plain(self, *args, **options):
        """Runs the command as a person does: no --json."""
        return command.call(self.context.program(), "--pool", self.image, *args, **options)

    def run(self, profile, *argv, inside=None, **options):
        """Runs a command inside a profile; `inside` is environment that only it sees."""
        return self.plain("run", profile, "--", *_with(inside), *argv, **options)

    def run_ok(self, profile, *argv, **options):
        return expect.status(self.run(profile, *argv, **options), 0)

    def shell(self, profile, script, **options):
        return self.run_ok(profile, "sh", "-ec", script, **options)

    def start(self, profile, *argv, inside=None, **options):
        return command.start(self.context.program(), "--pool", self.image, "run", profile, "--", *_with(inside),
                             *argv, **options)

    def terminal(self, profile, *argv):
        """The same on a pseudo terminal."""
        from lib.session import Terminal
        return Terminal([self.context.program(), "--pool", self.image, "run", profile, "--", *argv],
                        command.environment({"TERM": "dumb"}))

    def apt(self, *args, profile="dev", inside=None):
        """apt-get, answering yes."""
        return self.run(profile, "apt-get", "-q", "-y", *args, inside=inside)

    def install(self, *packages, **options):
        return self.apt("install", *packages, **options)

    def history(self, profile="dev", *args):
        """The profile's transactions, newest first, without the one that created it."""
        rows = self.ok("-p", profile, "history", *args)["transactions"]
        return [row for row in rows if row["kind"] != "create"]

    def newest(self, profile="dev"):
        rows = self.history(profile)
        expect.that(rows, "the history is empty")
        return rows[0]

    def copy(self, name):
        """A second image with the same content; mount only one of the two at a time."""
        target = os.path.join(os.path.dirname(self.image), name)
        copy_sparse(self.image, target)
        return Pool(self.context, target)

    @contextlib.contextmanager
    def top(self):
        with mounts.top_level(self.image, self.context.dir) as directory:
            yield directory

    def profile_file(self, top, name):
        """(directory, content) of the profile with this name, read from the pool itself."""
        for path in glob.glob(f"{top}/@profiles/*/profile.json"):
            with open(path, encoding="utf-8") as f:
                content = json.load(f)
            if content["name"] == name:
                return os.path.dirname(path), content
        raise expect.Failure(f"no profile named {name} in the pool")

    def fill(self):
        """Fills the pool until a plain program gets ENOSPC."""
        with self.top() as top:
            with open(f"{top}/{FILL}", "wb", buffering=0) as f:
                for size in (16 << 20, 1 << 20, 4096):
                    try:
                        while True:
                            f.write(os.urandom(size))
                    except OSError:
                        pass
            run_ok("sync", "-f", top)

    def drain(self):
        """Takes away what `fill` wrote."""
        with self.top() as top:
            os.unlink(f"{top}/{FILL}")
            run_ok("sync", "-f", top)

    @contextlib.contextmanager
    def merged(self, profile="dev"):
        """The profile's merged tree as it is now, mounted or not, from a snapshot of its upper."""
        with self.top() as top:
            directory, content = self.profile_file(top, profile)
            copy = f"{top}/oracle-{uuid.uuid4().hex}"
            run_ok("btrfs", "-q", "subvolume", "snapshot", "-r", directory, copy)
            try:
                layers = [f"{copy}/upper", f"{top}/@base/{content['base']['version']}"]
                with mounts.merged_read_only(layers, self.context.dir) as view:
                    yield view
            finally:
                run_ok("btrfs", "-q", "subvolume", "delete", copy)

    @contextlib.contextmanager
    def merged_snapshot(self, snapshot, base=BASE):
        """The merged tree of a snapshot named by its path below @snapshots."""
        with self.top() as top:
            layers = [f"{top}/@snapshots/{snapshot}/upper", f"{top}/@base/{base}"]
            with mounts.merged_read_only(layers, self.context.dir) as view:
                yield view

    def delete_snapshots(self, *rows, profile="dev"):
        """Deletes the snapshots of transactions behind the product's back."""
        with self.top() as top:
            _, content = self.profile_file(top, profile)
            for name in {row[side] for row in rows for side in ("pre", "post")}:
                run_ok("btrfs", "-q", "subvolume", "delete", f"{top}/@snapshots/{content['id']}/{name}")

    def reading(self, profile="dev"):
        with self.merged(profile) as view:
            return tree.read(view)


def _with(variables):
    """The start of a command line that sets environment variables inside the profile."""
    return ["env", *(f"{k}={v}" for k, v in variables.items())] if variables else []


def copy_sparse(source, target):
    run_ok("cp", "--sparse=always", source, target)


def make(context, image, base_tar, floor=TEST_FLOOR, size="8G"):
    """Pool, base `v1` and profile `dev`, all by the product."""
    pool = Pool(context, image)
    expect.status(command.call(context.program(), "--json", "pool", "create", image, "--size", size,
                               "--inode-floor", str(floor)), 0)
    pool.ok("base", "add", BASE, "--from-tar", base_tar, timeout=900)
    pool.ok("create", "dev", "--base", BASE)
    return pool


def _program_digest(context):
    with open(context.program(), "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _toy_tar(context):
    root = context.path("toy-root")
    os.mkdir(root)
    toy.make(root)
    made = context.path("toy.tar")
    run_ok("tar", "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*", "-cf", made, ".")
    shutil.rmtree(root)
    return made


def template(context, name):
    """The prepared image of a recipe, for this build of the product and this slot."""
    base = _toy_tar(context) if name == "toy" else bases.dressed(context, name)
    source = "toy1" if name == "toy" else os.path.basename(base)
    key = hashlib.sha256(f"1 {_program_digest(context)} {source}".encode()).hexdigest()[:16]
    directory = os.path.join(context.options.cache, "pools")
    final = os.path.join(directory, f"{name}-{context.options.slot}-{key}.img")
    if os.path.exists(final):
        os.utime(final)
        return final
    os.makedirs(directory, exist_ok=True)
    image = context.path(f"{name}.img")
    pool = make(context, image, base)
    if name != "toy":
        pool.run_ok("dev", "true")
    part = f"{final}.{os.getpid()}"
    copy_sparse(image, part)
    os.rename(part, final)
    _forget_old(directory, f"{name}-{context.options.slot}-*.img")
    return final


def _forget_old(directory, pattern, keep=1):
    """Templates change with every build of the product; only the newest few stay."""
    found = sorted(glob.glob(os.path.join(directory, pattern)), key=os.path.getmtime, reverse=True)
    for old in found[keep:]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(old)


def small(context, size, recipe="toy"):
    """A pool of this size, so that it can be filled quickly."""
    base = _toy_tar(context) if recipe == "toy" else bases.dressed(context, recipe)
    return make(context, context.path("small.img"), base, floor=1 << 14 if recipe == "toy" else TEST_FLOOR, size=size)


def copy_of(context, name):
    image = context.path("pool.img")
    copy_sparse(template(context, name), image)
    return Pool(context, image)
