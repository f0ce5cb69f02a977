"""Restrictions of a worker process: no internet sockets, no io_uring, no core dumps, killed with its parent.

A seccomp filter refuses ``socket(AF_INET)`` and ``socket(AF_INET6)`` with EACCES in all threads; local
sockets stay allowed, since drivers use them. The calls of io_uring, which opens sockets without the system
call ``socket``, are refused with ENOSYS, as by a kernel without it. The filter is written here because the
usual binding, libseccomp, is not permissively licensed. Sources: seccomp(2), prctl(2), linux/filter.h,
linux/audit.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import socket
import struct

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: load word, jump if equal, return
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EACCES, _ENOSYS = 13, 38
_SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198), "armv7l": (0x40000028, 281)}
"""Audit architecture and number of the system call ``socket``, by machine."""
_IO_URING_CALLS = (425, 426, 427)
"""Numbers of ``io_uring_setup``, ``io_uring_enter`` and ``io_uring_register``, the same on all machines."""


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; exit at once if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def give_up_core_dumps() -> None:
    """Disable core dumps: a delegate that aborts every few minutes would fill the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def give_up_network() -> bool:
    """Have the kernel refuse internet sockets from now on; call it before there are threads.

    Returns:
        Whether the filter is in force; False where the kernel has no seccomp filters or the architecture is
        unknown.
    """
    known = _SOCKET_CALLS.get(platform.machine())
    if known is None or _prctl(_PR_SET_NO_NEW_PRIVS, 1) != 0:
        return False
    program = _filter(*known)
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    wanted = Program(len(program) // 8, ctypes.addressof(buffer))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(wanted)) == 0


def _filter(architecture: int, call: int) -> bytes:
    """Return BPF instructions: (code, jump if true, jump if false, operand)."""
    instructions = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 8, architecture),
        (_LOAD, 0, 0, _NUMBER),
        *((_EQUAL, 8 - place, 0, number) for place, number in enumerate(_IO_URING_CALLS)),
        (_EQUAL, 0, 3, call),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 2, 0, socket.AF_INET),
        (_EQUAL, 1, 0, socket.AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | _EACCES),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def _prctl(option: int, *arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    return int(libc.prctl(option, *given))
