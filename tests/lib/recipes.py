"""Which bases and pools the tests share, and how each is made.

`base:<recipe>` is a tar in the cache; `pool:<recipe>` is an image made by the product from that tar, one per slot
of the runner, because two copies of one btrfs cannot be mounted at a time.
"""

from dataclasses import dataclass

from lib import bases, pools
from lib.process import run_ok


@dataclass(frozen=True)
class Recipe:
    """A base: its release, what mmdebstrap includes, our packages in it, real packages beside it."""

    suite: str
    include: tuple = ()
    product: bool = True
    archives: tuple = ()


ARCHITECTURE = run_ok("dpkg", "--print-architecture").stdout.decode().strip()

REAL_PACKAGES = (
    "nginx", "postgresql", "openssh-server", "docker.io", "iputils-ping", "libcap2-bin", "tzdata", "locales",
    "exim4-daemon-light", "python3", "systemd", "udev", "jq", "mc", "sqlite3",
    "desktop-file-utils", "gtk-update-icon-cache", "hicolor-icon-theme", "feh", "nsxiv",
    f"linux-image-cloud-{ARCHITECTURE}",
)

RECIPES = {
    "plain": Recipe("trixie", product=False),
    "mini": Recipe("trixie"),
    "bookworm": Recipe("bookworm"),
    "fronts": Recipe("trixie", include=(
        "aptitude", "unattended-upgrades", "packagekit", "packagekit-tools", "dbus", "polkitd")),
    "bench": Recipe("trixie", include=("snapper", "dbus")),
    "real": Recipe("trixie", archives=REAL_PACKAGES),
}


def prepare(context, wanted):
    """Makes one shared thing unless the cache has it; runs isolated, as a test does."""
    kind, _, name = wanted.partition(":")
    if kind == "base":
        bases.dressed(context, name)
    else:
        pools.template(context, name)
