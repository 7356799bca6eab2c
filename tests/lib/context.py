"""What a test gets: its directory, the options of the run, pools and bases."""

import json
import os
from dataclasses import dataclass

from lib import expect


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

    @property
    def tier(self):
        return self.options.tier

    @property
    def long(self):
        return self.options.tier == "long"

    def program(self, name="flipper-profile"):
        return os.path.join(self.options.bin_dir, name)

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
