"""Memory of the process that nothing uses."""

import ctypes


def return_free_memory() -> None:
    """Return free memory to the operating system. The C library keeps it otherwise; only glibc can return it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
