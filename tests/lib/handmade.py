"""Packages built by dpkg-deb in the profile itself, for a test that needs one of its own."""

import shlex

from lib import expect

_BUILD = """
set -e
d=/root/built/{name}-{version}
rm -rf "$d"
mkdir -p "$d/DEBIAN"
cat > "$d/DEBIAN/control" <<'END'
Package: {name}
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: of a test
END
{files}
dpkg-deb --root-owner-group -b "$d" /root/built/{name}_{version}.deb >/dev/null
"""


def build(pool, name, version, files, scripts=None, profile="dev"):
    """Leaves /root/built/NAME_VERSION.deb, which no undo takes back; `files` is path to (content, mode)."""
    lines = []
    every = dict(files) | {f"/DEBIAN/{script}": (text, 0o755) for script, text in (scripts or {}).items()}
    for path, (content, mode) in every.items():
        target = f'"$d"{shlex.quote(path)}'
        lines.append(f'mkdir -p "$(dirname {target})"; printf %s {shlex.quote(content)} > {target}; chmod {mode:o} {target}')
    script = _BUILD.format(name=name, version=version, files="\n".join(lines))
    expect.status(pool.run(profile, "sh", "-c", script), 0)
    return f"/root/built/{name}_{version}.deb"
