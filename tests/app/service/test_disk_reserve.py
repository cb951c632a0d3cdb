"""Room on the disk: a watermark, and a reserve that is really there. The full disk itself is in `tests/service`."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import MEGABYTE
from app.service import disk_reserve as rooms
from app.service.disk_reserve import RESERVE_NAME, DiskReserve
from app.settings import Settings

MORE_THAN_ANY_DISK = 1_000_000_000


def reserve_in(folder: Path, **given: int) -> DiskReserve:
    made = DiskReserve(
        Settings(**{"data_dir": folder, "min_free_mb": 1, "min_free_inodes": 0, "reserve_mb": 2, **given})
    )
    made.look()
    return made


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_reserve_takes_real_blocks_and_goes_when_it_is_asked_for(tmp_path: Path) -> None:
    disk, reserve = reserve_in(tmp_path), tmp_path / RESERVE_NAME
    assert disk.full_because is None and not disk.reserve_used
    assert reserve.stat().st_size == 2 * MEGABYTE <= reserve.stat().st_blocks * 512
    assert disk.release() and not reserve.exists()
    assert disk.reserve_used and disk.full_because == "the disk is full and the reserve is in use"
    assert not disk.release(), "there is only one"


def test_the_reserve_is_taken_back_but_not_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = reserve_in(tmp_path)
    disk.release()
    disk.look()
    assert disk.full_because is not None and not (tmp_path / RESERVE_NAME).exists()
    monkeypatch.setattr(rooms, "TAKE_BACK_SECONDS", 0.0)
    disk.look()
    assert disk.full_because is None and not disk.reserve_used and (tmp_path / RESERVE_NAME).exists()


def test_below_the_watermark_there_is_no_room(tmp_path: Path) -> None:
    because = reserve_in(tmp_path, min_free_mb=MORE_THAN_ANY_DISK).full_because
    assert because is not None and "MB are free on the disk of the job store, 1000000000 MB are needed" in because
    because = reserve_in(tmp_path, min_free_inodes=MORE_THAN_ANY_DISK).full_because
    assert because is not None and "files can be made on the disk of the job store" in because


def test_a_reserve_that_cannot_be_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    with files_no_larger_than(MEGABYTE):
        because = reserve_in(tmp_path).full_because
    assert because == "the data folder cannot be used: File too large"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_no_room_and_no_error(tmp_path: Path) -> None:
    assert "cannot be used" in str(reserve_in(tmp_path / "gone").full_because)


def test_no_reserve_is_kept_when_none_is_wanted_or_nothing_runs(tmp_path: Path) -> None:
    assert reserve_in(tmp_path, reserve_mb=0).full_because is None
    assert list(tmp_path.iterdir()) == []
    disk = reserve_in(tmp_path)
    disk.close()
    disk.close()
    assert list(tmp_path.iterdir()) == []
