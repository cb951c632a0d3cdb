"""An end that waits in a file is read back as it was, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.jobs import Job, Status
from app.domain.outcomes import How, Outcome
from app.service.spool import Spool
from app.store.folder import SPOOL_NAME
from solver.result import Quality, StoppedBy
from solver.rules import Score

JOB = Job(id="../../j 1", body_hash="h", created_at=0.0, status=Status.RUNNING, attempt=3)
RESULT = {
    "score": Score(0, 0, 1, 7),
    "bound": None,
    "placed": 9,
    "total": 9,
    "quality": Quality.FEASIBLE,
    "stopped_by": StoppedBy.STALLED,
    "rung": "full",
    "result_attempt": 3,
    "result_digest": "d",
}
OUTCOMES = (
    Outcome(how=How.RESULT, at=12.5, seconds=3.25, stage="store", rung="full", held=Score(0, 0, 1, 7), result=RESULT),
    Outcome(how=How.HANG, at=1.0, message="hung", verdict="DEADLOCK_SUSPECTED", bundle={"stacks": "a\nb"}, peak_mb=7),
)


def the_file(folder: Path) -> Path:
    (path,) = (folder / SPOOL_NAME).iterdir()
    return path


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("body", [None, b"\0a\nb\n"])
def test_an_end_comes_back_as_it_was(tmp_path: Path, outcome: Outcome, body: bytes | None) -> None:
    Spool(tmp_path).write(JOB, outcome, body)
    assert Spool(tmp_path).read(replace(JOB, used_seconds=JOB.used_seconds + 5)) == (outcome, body, JOB.used_seconds)
    assert the_file(tmp_path).parent == tmp_path / SPOOL_NAME, "an id is no path"


def test_another_attempt_and_another_job_have_no_part_in_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.read(JOB) is None
    spool.write(JOB, OUTCOMES[0], b"x")
    assert spool.read(replace(JOB, attempt=4)) is None
    assert spool.read(replace(JOB, id="k")) is None
    the_file(tmp_path).rename(spool._path(replace(JOB, attempt=4)))
    assert spool.read(replace(JOB, attempt=4)) is None, "the name of a file proves nothing"


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_no_end(tmp_path_factory: pytest.TempPathFactory, where: float, flip: int, cut: bool) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder)
    spool.write(JOB, OUTCOMES[0], b"the body")
    raw = bytearray(the_file(folder).read_bytes())
    place = int(where * len(raw))
    raw[place] ^= flip
    the_file(folder).write_bytes(raw[:place] if cut else raw)
    assert spool.read(JOB) is None


def test_what_is_removed_or_cleared_is_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.clear()
    spool.write(JOB, OUTCOMES[0], b"x")
    spool.remove(JOB)
    spool.remove(JOB)
    assert spool.read(JOB) is None
    spool.write(JOB, OUTCOMES[0], b"x")
    (tmp_path / SPOOL_NAME / "half.part").write_bytes(b"x")
    spool.clear()
    assert list((tmp_path / SPOOL_NAME).iterdir()) == []
