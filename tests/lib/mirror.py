"""The Debian mirror that this machine itself is configured to use."""

import functools
import os
import platform

from lib.process import run


@functools.cache
def uri():
    """URI of the Debian archive from the machine's own apt configuration, or None."""
    fields = "$(REPO_URI)\t$(ORIGIN)\t$(COMPONENT)\t$(LABEL)"
    listed = run("apt-get", "indextargets", "--format", fields, "Identifier: Packages").text
    for line in listed.splitlines():
        parts = line.split("\t")
        if len(parts) == 4 and parts[1] == "Debian" and parts[2] == "main" and parts[3] == "Debian":
            return parts[0].rstrip("/")
    return None


@functools.cache
def architecture():
    told = run("dpkg", "--print-architecture").text.strip()
    return told or {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def index(suite, directory):
    """The suite's InRelease file as bytes, or None when the mirror cannot be reached."""
    if uri() is None:
        return None
    target = os.path.join(directory, f"InRelease-{suite}")
    if os.path.exists(target):
        os.unlink(target)
    got = run("/usr/lib/apt/apt-helper", "download-file", f"{uri()}/dists/{suite}/InRelease", target,
              timeout=120)
    if got.status != 0:
        return None
    with open(target, "rb") as f:
        return f.read()
