"""Locks of the operating system on open files, which end with their process, however that ends."""

from __future__ import annotations

import errno
import sys

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EBADF, errno.EIO, errno.EPERM}
"""How file systems say that they keep no locks."""


class NoLocksError(Exception):
    """The file system keeps no locks."""


def lock_file(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file for this opening of it alone, until it is closed; False: somebody else has it locked.

    Raises:
        NoLocksError: the file system keeps no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if isinstance(error, BlockingIOError) or error.errno in (errno.EACCES, errno.EDEADLK):
            return False
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.strerror or str(error)) from error
        raise
    return True
