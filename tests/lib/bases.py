"""Real Debian bases: bootstrapped from the machine's own mirror, then dressed for the tests, both cached."""

import contextlib
import glob
import hashlib
import os
import re
import shutil

from lib import expect, mirror
from lib.process import run, run_ok
from packages import builder, catalogue, repository, scripts, shared

# apt inside every base: quiet, offline unless asked, no recommends, small lists.
APT_CONF = """APT::Install-Recommends "false";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Acquire::Check-Date "false";
"""
# Packages that the bases hold in version 1 are upgraded only when a test names the version.
PREFERENCES = "Package: fpt-dirfile fpt-dirlink\nPin: version 1\nPin-Priority: 600\n"
REPOSITORY = "/opt/fpt/repo"
DRESS_VERSION = "2"
GLIBC_MINOR = {"bookworm": 36, "trixie": 41}
# What our package depends on and minbase lacks.
DEPENDENCIES = ("btrfs-progs",)


def _key(*parts):
    return hashlib.sha256("\0".join(str(p) for p in parts).encode()).hexdigest()[:16]


def _file_digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _publish(temporary, final):
    """Renames a finished file into the cache, so that a cut run leaves nothing that looks whole."""
    os.makedirs(os.path.dirname(final), exist_ok=True)
    part = f"{final}.{os.getpid()}"
    shutil.move(temporary, part)
    try:
        os.rename(part, final)
    except OSError:
        # A directory that another run has finished meanwhile: the same, by its name.
        if not os.path.isdir(final):
            raise
        shutil.rmtree(part)
    return final


def bootstrap(context, suite, include=()):
    """A tar of the suite from mmdebstrap, keyed by suite, architecture, package list and index."""
    index = mirror.index(suite, context.dir)
    if index is None:
        raise expect.Skip(f"the mirror does not answer for {suite}")
    key = _key(suite, mirror.architecture(), sorted(include), hashlib.sha256(index).hexdigest())
    final = os.path.join(context.options.cache, "bases", f"{suite}-{key}.tar")
    if os.path.exists(final):
        return final
    made = context.path(f"{suite}.tar")
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
    if include:
        command.append("--include=" + ",".join(include))
    run_ok(*command, suite, made, mirror.uri(), timeout=1500)
    return _publish(made, final)


def repository_directory(context):
    """The built test packages with their index."""
    parts = []
    for module in (catalogue, scripts, shared, builder):
        with open(module.__file__, "rb") as f:
            parts.append(f.read())
    key = _key(*parts)
    final = os.path.join(context.options.cache, "repositories", key)
    if not os.path.exists(final):
        made = context.path("repository")
        os.makedirs(made)
        for package in catalogue.everything():
            builder.build(package, made)
        repository.write_index(made)
        os.makedirs(os.path.dirname(final), exist_ok=True)
        part = f"{final}.{os.getpid()}"
        shutil.copytree(made, part)
        os.rename(part, final)
    return final


def product_packages(context, suite):
    """Our .debs for the suite: DIR/<suite>/*.deb, else those DIR/*.deb that its glibc can run."""
    directory = context.options.deb_dir
    if not directory:
        raise expect.Skip("no --deb directory given")
    for place in (os.path.join(directory, suite), directory):
        found = sorted(glob.glob(os.path.join(place, f"flipper-profile_*_{mirror.architecture()}.deb")))
        if found and all(_runs_on(deb, suite) for deb in found):
            return found
    raise expect.Skip(f"no flipper-profile .deb for {suite} in {directory}")


def _runs_on(deb, suite):
    """Whether the glibc that the package asks for is not newer than the suite's."""
    asked = re.search(r"libc6 \(>= 2\.(\d+)", run_ok("dpkg-deb", "--field", deb, "Depends").text)
    return not asked or int(asked.group(1)) <= GLIBC_MINOR[suite]


def furnished(context, name):
    """The recipe's base without our package: test repository, apt configuration, real archives."""
    recipe = _recipe(name)
    raw = bootstrap(context, recipe.suite, recipe.include)
    repo = repository_directory(context)
    key = _key(DRESS_VERSION, os.path.basename(raw), repository.fingerprint(repo), APT_CONF, PREFERENCES, catalogue.IN_BASE,
               recipe.archives)
    return _cached(context, "furnished", name, key, raw, lambda root: _furnish(root, repo, recipe))


def dressed(context, name):
    """The base of the recipe as the tests use it: furnished, and with our package where the recipe says so."""
    recipe = _recipe(name)
    below = furnished(context, name)
    if not recipe.product:
        return below
    debs = product_packages(context, recipe.suite)
    key = _key(os.path.basename(below), *(_file_digest(d) for d in debs))
    return _cached(context, "dressed", name, key, below, lambda root: _install_product(root, debs))


def _recipe(name):
    from lib.recipes import RECIPES
    return RECIPES[name]


def _cached(context, stage, name, key, source, change):
    """A tar made from another by changing the tree in between, unless the cache has it."""
    final = os.path.join(context.options.cache, "bases", f"{stage}-{name}-{key}.tar")
    if os.path.exists(final):
        os.utime(final)
        return final
    root, made = context.path("root"), context.path("made.tar")
    os.mkdir(root)
    run_ok("tar", "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xf", source)
    run_ok("mount", "-t", "proc", "proc", root + "/proc")
    try:
        change(root)
    finally:
        run_ok("umount", root + "/proc")
    run_ok("tar", "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*", "--sort=name", "-cf", made, ".")
    shutil.rmtree(root)
    _forget_old(os.path.dirname(final), f"{stage}-{name}")
    return _publish(made, final)


def _in_root(root, *command):
    return run_ok("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8",
                  "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command, timeout=1500)


def _write(root, path, text, mode=0o644):
    with open(root + path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(root + path, mode)


def _furnish(root, repo, recipe):
    machine = [line for line in run("apt-config", "dump").text.splitlines()
               if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until"))]
    _write(root, "/etc/apt/apt.conf.d/00tests", APT_CONF + "\n".join(machine) + "\n")
    _write(root, "/etc/apt/preferences.d/tests", PREFERENCES)
    shutil.copytree(repo, root + REPOSITORY)
    if recipe.product or recipe.archives:
        _in_root(root, "apt-get", "-q", "update")
        _in_root(root, "apt-get", "-q", "-y", "install", *DEPENDENCIES)
        _in_root(root, "apt-get", "clean")
    if recipe.archives:
        _in_root(root, "apt-get", "-q", "-y", "--download-only", "install", *recipe.archives)
        for deb in glob.glob(root + "/var/cache/apt/archives/*.deb"):
            shutil.move(deb, root + REPOSITORY)
        repository.write_index(root + REPOSITORY)
    _write(root, "/etc/apt/sources.list", f"deb [trusted=yes] file:{REPOSITORY} ./\n")
    shutil.rmtree(root + "/var/lib/apt/lists")
    _in_root(root, "apt-get", "-q", "update")
    _in_root(root, "dpkg", "-i", *(f"{REPOSITORY}/{d}" for d in catalogue.IN_BASE))


def _install_product(root, debs):
    """Our packages, by dpkg in a chroot; what they depend on is in the furnished base."""
    os.makedirs(root + "/opt/fpt/product")
    for deb in debs:
        shutil.copy(deb, root + "/opt/fpt/product")
    _in_root(root, "sh", "-c", "dpkg -i /opt/fpt/product/*.deb")


def _forget_old(directory, name, keep=2):
    """Dressed bases change with every build of the product; only the newest few stay."""
    found = sorted(glob.glob(os.path.join(directory, f"{name}-*.tar")), key=os.path.getmtime, reverse=True)
    for old in found[keep:]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(old)
