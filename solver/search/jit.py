"""
Numba decorators with types: kernels never hold the interpreter lock, so that other threads hear "stop" and can beat.

Three kinds. A `kernel` is called from Python. An `inner` function is called from kernels only. An `inlined` one is
copied into its caller by LLVM, which costs compile time wherever it stands. All take their arrays as a `NumbaStruct`: a
pointer, where a `NamedTuple` would be eight hundred arguments.

Reference counting is off: the arrays belong to Python, which holds them during a call, and counting them at every use
makes the kernels forty times slower. Kernels therefore cannot make arrays. Nor may they shift or multiply beyond 63
bits or mix signed with unsigned numbers, because with ``NUMBA_DISABLE_JIT=1`` all this is plain Python; packed
weights are multiplied with `np.int64` only.

Loops are not vectorized: theirs are short or full of branches, and a fifth of the compile time went there for nothing.
Nor is the third level of optimization worth its time: another quarter, for kernels that are no faster.

Numba renews a cached kernel when its own file changes, but not when only a file changes that it takes functions from.
The cache therefore lies in a folder named by the sources of all kernels, in the user's cache folder: a changed source
is another folder. ``NUMBA_CACHE_DIR`` wins, for images that are built once and never change. See `cache` for
damaged files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import config, njit, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from solver.search.cache import seal

Longs: TypeAlias = NDArray[np.int64]
Number: TypeAlias = Any
"""A whole number in a kernel: a machine integer of whatever width the array it came from has."""
Function = TypeVar("Function", bound=Callable[..., Any])

COMMON: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cfunc_wrapper": True,
}
NO_WRAPPER: dict[str, Any] = {"no_cpython_wrapper": True}

# Numba fills its config at run time, hence setattr; these are read at the first compilation.
setattr(config, "LOOP_VECTORIZE", 0)  # noqa: B010
setattr(config, "OPT", type(config.OPT)(2))  # type: ignore[attr-defined]  # noqa: B010


def cache_folder() -> Path:
    """Where compiled kernels are kept: a new place for every change of any file that goes into them."""
    search = Path(__file__).parent
    sources = [*sorted(search.glob("*.py")), search.parent / "compiled.py", search.parent / "control.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "timetable" / f"kernels-{digest[:16]}"


if not os.environ.get("NUMBA_CACHE_DIR"):
    setattr(config, "CACHE_DIR", str(cache_folder()))  # noqa: B010 - numba fills its config at run time


def kernel(function: Function) -> Function:
    """A compiled function that Python calls."""
    return cast(Function, seal(njit(**COMMON)(function)))


def inner(function: Function) -> Function:
    """A compiled function that only kernels call: no wrapper for Python is built."""
    return cast(Function, seal(njit(**COMMON, **NO_WRAPPER)(function)))


def first_bit(word: Number) -> Number:
    """The lowest bit that is set in a word of 64, which is not 0."""
    word = int(word)
    return (word & -word).bit_length() - 1


@intrinsic
def _trailing_zeros(typingctx: Any, word: Any) -> Any:
    """One machine instruction."""

    def generate(context: Any, builder: Any, signature: Any, words: Any) -> Any:
        return builder.cttz(words[0], context.get_constant(types.boolean, True))

    return word(word), generate


@overload(first_bit)
def _first_bit(word: Any) -> Any:
    def compiled(word: Any) -> Any:  # numba compares its annotations with those above
        return _trailing_zeros(word)  # type: ignore[call-arg]

    return compiled


def inlined(function: Function) -> Function:
    """A part of a kernel that LLVM must copy into its caller."""
    return cast(Function, seal(njit(**COMMON, **NO_WRAPPER, forceinline=True)(function)))
