"""The collision counter finds what an overlay without the inode floor does, and accepts hard links."""

import os

from lib import expect, mounts, toy
from lib.process import run_ok
from oracle import collisions


def test_hard_links_are_no_collision(t):
    root = os.path.join(t.dir, "tree")
    os.mkdir(root)
    toy.make(root)
    expect.nothing(collisions.pairs(root), "collisions in a plain tree")


def test_an_overlay_without_the_floor_collides(t):
    """The proof that the inode floor cures something: without it the counter must not be silent."""
    image = os.path.join(t.dir, "plain.img")
    with open(image, "wb") as f:
        f.truncate(512 << 20)
    run_ok("mkfs.btrfs", "-q", image)
    with mounts.top_level(image, t.dir) as top:
        run_ok("btrfs", "-q", "subvolume", "create", f"{top}/base")
        run_ok("btrfs", "-q", "subvolume", "create", f"{top}/profile")
        toy.make(f"{top}/base")
        for name in ("upper", "work", "merged"):
            os.mkdir(f"{top}/profile/{name}")
        run_ok("mount", "-t", "overlay", "plain", "-o",
               f"lowerdir={top}/base,upperdir={top}/profile/upper,workdir={top}/profile/work,xino=off",
               f"{top}/profile/merged")
        for number in range(20):
            with open(f"{top}/profile/merged/new{number}", "w", encoding="ascii") as f:
                f.write(str(number))
        found = collisions.pairs(f"{top}/profile/merged")
        run_ok("umount", f"{top}/profile/merged")
    expect.that(found, "no collision counted in an overlay whose upper has no inode floor")
