"""What a test gets: its directory, the options of the run, pools and bases."""

import json
import os
from dataclasses import dataclass

from lib import expect
from lib.process import run_ok


@dataclass
class Options:
    """Options of the run, handed from the runner to each isolated test."""

    tier: str
    bin_dir: str
    deb_dir: str | None
    cache: str
    slot: int
    keep: bool

    def to_json(self):
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text):
        return cls(**json.loads(text))


class Context:
    """One test's world; everything below `dir` is removed afterwards."""

    def __init__(self, options, directory):
        self.options = options
        self.dir = directory
        self.notes = []
        self.programs = options.bin_dir

    @property
    def tier(self):
        return self.options.tier

    @property
    def long(self):
        return self.options.tier == "long"

    def program(self, name="flipper-profile"):
        return os.path.join(self.programs, name)

    def use_packaged_program(self):
        """From here on the command is the one of our .deb: optimised, as users have it."""
        from lib import bases
        target = self.path("packaged")
        with open("/etc/os-release", encoding="utf-8") as f:
            suite = next(line.split("=")[1].strip().strip('"') for line in f if line.startswith("VERSION_CODENAME="))
        run_ok("dpkg-deb", "-x", bases.product_packages(self, suite)[0], target)
        self.programs = os.path.join(target, "usr/bin")

    def skip(self, reason):
        raise expect.Skip(reason)

    def note(self, text):
        """A line the runner prints with the result: numbers of a bench, a sample's size."""
        self.notes.append(text)
        print(text)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def pool(self, template="mini"):
        """A private copy of a prepared pool."""
        from lib import pools
        return pools.copy_of(self, template)

    def empty_image(self, size=4 << 30, name="pool.img"):
        image = self.path(name)
        with open(image, "xb") as f:
            f.truncate(size)
        return image

    def sample(self, numbers, count):
        """All numbers in the long tier, else `count` of them spread evenly, the first and the last among them."""
        numbers = list(numbers)
        if self.long or len(numbers) <= count:
            return numbers
        step = (len(numbers) - 1) / (count - 1)
        return [numbers[round(i * step)] for i in range(count)]
