"""A clock that counts as synchronised, for one process and what it starts: no machine's clock is touched."""

import ctypes
import os
import struct

from lib import expect

# adjtimex(2) and clock_adjtime(2) by machine.
CALLS = {"x86_64": (159, 305), "aarch64": (171, 266)}
# linux/filter.h, linux/seccomp.h, linux/prctl.h
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO_0 = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, MODE_FILTER = 22, 2
TIME_ERROR = 5

_libc = ctypes.CDLL(None, use_errno=True)


def is_synchronised():
    """What the kernel says, asked without the product: adjtimex(2) with no mode."""
    state = _libc.adjtimex(ctypes.create_string_buffer(512))
    expect.that(state >= 0, "adjtimex failed")
    return state != TIME_ERROR


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def believe():
    """From here on the kernel answers this process and its children `TIME_OK`; there is no way back."""
    one, other = CALLS[os.uname().machine]
    steps = [(LOAD, 0, 0, 0), (EQUAL, 2, 0, one), (EQUAL, 1, 0, other), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO_0)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    if _libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot filter adjtimex")
