"""Kernels read structs as Python does, and cannot write where Python may not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numba import config
from numba.core.errors import TypingError
from numpy.typing import NDArray

from solver.search.jit import inner, kernel
from solver.search.numba_struct import NumbaStruct


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample(NumbaStruct):
    """One field of each kind."""

    width: int
    row: NDArray[np.uint8]
    cube: NDArray[np.int32]
    log: NDArray[np.int64]


def sample(width: int = 3, rows: int = 2) -> Sample:
    row = np.arange(width, dtype=np.uint8)
    row.setflags(write=False)
    cube = np.arange(rows * width * 2, dtype=np.int32).reshape(rows, width, 2)
    return Sample(width=width, row=row, cube=cube, log=np.zeros(2, dtype=np.int64))


@inner
def corner(b: Sample) -> int:
    return b.cube[b.cube.shape[0] - 1, len(b.row) - 1, 1]


@kernel
def read(b: Sample) -> int:
    b.log[0] += 1
    return corner(b) * 100 + b.width * 10 + b.row[1]


@kernel
def overwrite(b: Sample) -> None:
    b.row[0] = 1


def test_a_kernel_reads_every_kind_of_field_and_writes_to_what_may_be_written() -> None:
    small, large = sample(), sample(width=5, rows=4)
    assert read(small) == 11 * 100 + 31 and read(large) == 39 * 100 + 51
    read(small)
    assert (small.log[0], large.log[0]) == (2, 1)
    small.cube[-1, -1, 1] = 7
    assert read(small) == 731, "what Python writes into an array is seen"


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_structs_of_all_sizes_share_one_signature_and_a_kernel_cannot_write_to_a_read_only_array() -> None:
    assert sample()._numba_type_ == sample(width=7)._numba_type_
    with pytest.raises(TypingError, match="readonly"):
        overwrite(sample())


def test_an_array_that_is_not_contiguous_is_refused_by_name() -> None:
    plain = sample()
    with pytest.raises(ValueError, match="cube is not"):
        Sample(width=3, row=plain.row, cube=plain.cube[:, ::2], log=plain.log)
