"""Maintainer scripts of the test packages."""

import glob

HEAD = "#!/bin/sh\nset -e\n"

# Waits in postinst until the test says go; both files live in /var/tmp, which undo never rewinds.
SLOW = HEAD + """
[ "$1" = configure ] || exit 0
echo "fpt-slow: waiting"
: > /var/tmp/fpt-slow.started
while [ ! -e /var/tmp/fpt-slow.go ]; do sleep 0.05; done
echo "fpt-slow: done"
"""

# Removes a directory of the base and makes it anew: an opaque directory in the upper.
RECREATE_DIRECTORY = HEAD + """
rm -rf /usr/share/fpt-opaque/d
mkdir /usr/share/fpt-opaque/d
echo new > /usr/share/fpt-opaque/d/three
"""

# Writes until the filesystem is full.
FILL_DISK = HEAD + """
dd if=/dev/urandom of=/usr/share/fpt-grow.bin bs=1M status=none
"""

# Changes files that belong to nobody and to others, as real postinst scripts do.
EDIT_OTHERS = HEAD + """
[ "$1" = configure ] || exit 0
echo "# fpt-prompt was here" >> /etc/hosts
ln -sf /usr/share/fpt /etc/fpt-link
mkdir -p /var/lib/fpt-prompt && date > /var/lib/fpt-prompt/stamp
chmod 0711 /usr/local/sbin
"""


BUILD_MODULE = HEAD + """mkdir -p /lib/modules/$1/updates/fpt
cp /usr/src/fpt-module/source /lib/modules/$1/updates/fpt/fpt.ko
depmod $1
"""

REMOVE_MODULE = HEAD + """rm -rf /lib/modules/$1/updates
"""


def failing(name):
    """Fails until the file /srv/<name>.ok exists; /srv is not rewound by undo."""
    return HEAD + f"[ -e /srv/{name}.ok ] || {{ echo '{name}: failing as asked' >&2; exit 1; }}\n"


def divert(path, package):
    return {
        "preinst": HEAD + f'[ "$1" = install ] || [ "$1" = upgrade ] || exit 0\n'
        f"dpkg-divert --package {package} --add --rename --divert {path}.distrib {path}\n",
        "postrm": HEAD + f'[ "$1" = remove ] || exit 0\n'
        f"dpkg-divert --package {package} --remove --rename --divert {path}.distrib {path}\n",
    }


def dir_and_symlink(version):
    """The directory of version 1 and 3 is a symlink in version 2."""
    helper = {
        "1": "",
        "2": 'dpkg-maintscript-helper dir_to_symlink /usr/share/fpt-dirlink/d real 2~ -- "$@"\n',
        "3": 'dpkg-maintscript-helper symlink_to_dir /usr/share/fpt-dirlink/d real 3~ -- "$@"\n',
    }[version]
    if not helper:
        return {}
    return {name: HEAD + helper for name in ("preinst", "postinst", "postrm")}


def set_capability(path):
    """Sets cap_net_raw=ep with perl-base alone: setxattr is 188 on amd64 and 5 on arm64."""
    return HEAD + (
        'number=188; [ "$(dpkg --print-architecture)" = amd64 ] || number=5\n'
        "perl -e 'my ($n, $p, $k, $v) = (shift() + 0, shift, \"security.capability\","
        " pack(\"V5\", 0x02000001, 1 << 13, 0, 0, 0));"
        " syscall($n, $p, $k, $v, length $v, 0) == 0 or die \"setxattr: $!\"'"
        f' "$number" {path}\n'
    )


def newline_name(directory):
    """dpkg refuses a newline in an archive, so the postinst makes the file."""
    return {
        "postinst": HEAD + f'printf x > "$(printf \'{directory}/new\\nline.\')"\n',
        "prerm": HEAD + f"rm -f {directory}/new*line.\n",
    }


def add_user(name):
    return HEAD + f"getent passwd {name} >/dev/null || useradd --system --no-create-home {name}\n"


def small_library():
    """A small shared library of this machine; glibc only gets newer inside the bases."""
    for pattern in ("/lib/*-linux-gnu/libuuid.so.1", "/lib/*-linux-gnu/libcap.so.2",
                    "/usr/lib/*-linux-gnu/libz.so.1"):
        for path in sorted(glob.glob(pattern)):
            return path
    raise RuntimeError("no small shared library on this machine")
