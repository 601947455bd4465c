"""How the C library keeps the memory of training steps."""

from __future__ import annotations

import ctypes
import functools
import sys

# What malloc.h calls M_ARENA_MAX and so on.
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1


@functools.cache
def keep_memory() -> None:
    """Keep the memory of one step for the next.

    A step asks for one block of 10 to 200 MB and frees it. glibc hands blocks above 32 MB back to the system, which
    clears every page of the next one: that was a third of the processor time of au_cnn's and of cnn's step. Other C
    libraries have no ``mallopt`` and are left alone.

    It must come before JAX starts its threads, which its first computation does: a thread that has memory of its own
    keeps 64 MB at most, which cost a step of STSTNet a fifth of its time.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None) is not None:
        for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1)):
            mallopt(option, value)
