"""
Numba decorators with types: kernels never hold the interpreter lock, so that other threads hear "stop" and can beat.

With ``NUMBA_DISABLE_JIT=1`` both are plain Python; kernels therefore only use arithmetic that means the same there
(no wrapping signed integers, no mixing of signed and unsigned).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Longs: TypeAlias = NDArray[np.int64]
Number: TypeAlias = Any
"""A whole number in a kernel: a machine integer of whatever width the array it came from has."""
Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """A compiled function that Python calls."""
    return cast(Function, njit(nogil=True, cache=True, _nrt=False, error_model="numpy", no_cfunc_wrapper=True)(function))


def inner(function: Function) -> Function:
    """A compiled function that only kernels call: no wrapper for Python is built, which would cost more than the rest."""
    return cast(Function, njit(nogil=True, cache=True, _nrt=False, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


def inlined(function: Function) -> Function:
    """
    A part of a kernel that LLVM must copy into its caller.

    Calls that are not inlined hand over every array of a `NamedTuple` as seven or more arguments, which costs more than
    most of our parts do.
    """
    return cast(Function, njit(nogil=True, cache=True, _nrt=False, error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))
