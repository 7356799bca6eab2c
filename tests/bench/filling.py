"""Profiles of many files, and packages that change some of them."""

import os
import shutil

from lib.process import run_ok

FILES_OF_A_DIRECTORY = 200
PLACE = "usr/lib/fill"


def profile(pool, name, files):
    """Gives a profile, which is mounted nowhere, so many small files; straight into its upper."""
    with pool.top() as top:
        directory, _ = pool.profile_file(top, name)
        place = f"{directory}/upper/{PLACE}"
        os.makedirs(place)
        for first in range(0, files, FILES_OF_A_DIRECTORY):
            inner = f"{place}/{first // FILES_OF_A_DIRECTORY:05}"
            os.mkdir(inner)
            for number in range(min(FILES_OF_A_DIRECTORY, files - first)):
                descriptor = os.open(f"{inner}/{number:03}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
                os.write(descriptor, b"filling %d\n" % number)
                os.close(descriptor)


def scattered(files, count, directories=200):
    """`count` paths that are not there yet, in so many of the directories, evenly spread."""
    there = max(files // FILES_OF_A_DIRECTORY, 1)
    used = min(there, directories)
    return [f"{PLACE}/{number % used * there // used:05}/p{number}" for number in range(count)]


def package(context, pool, profile_name, name, version, paths):
    """Puts a package with these paths where the profile sees it; the path of the archive inside."""
    root = context.path(f"{name}-{version}")
    for path in paths:
        place = os.path.join(root, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="ascii") as f:
            f.write(f"{name} {version}\n")
    os.makedirs(f"{root}/DEBIAN")
    with open(f"{root}/DEBIAN/control", "w", encoding="ascii") as f:
        f.write(f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example>\nDescription: x\n")
    archive = context.path(f"{name}_{version}.deb")
    run_ok("dpkg-deb", "-Znone", "--root-owner-group", "-b", root, archive)
    shutil.rmtree(root)
    # The first entry seeds the state that /root is.
    pool.run_ok(profile_name, "true")
    with pool.top() as top:
        _, content = pool.profile_file(top, profile_name)
        shutil.copy(archive, f"{top}/@state/{content['id']}/root/")
    return f"/root/{os.path.basename(archive)}"
