"""Samples are made once, however many ask at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.domain import samples as catalogue
from app.domain.exceptions import DatasetNotFound
from solver.model import Dataset
from solver.samples import sample
from tests.effort import PATIENCE_SECONDS


def test_parallel_first_requests_make_a_sample_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def slow_sample(name: str, seed: int) -> Dataset:
        made.append(name)
        time.sleep(0.2)
        return sample(name, seed)

    monkeypatch.setattr(catalogue, "sample", slow_sample)
    together = Barrier(4)

    def ask(_: int) -> catalogue.Sample:
        together.wait(timeout=PATIENCE_SECONDS)
        return catalogue.load_sample("tiny", 424_242)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert made == ["tiny"]
    assert all(each is found[0] for each in found)


def test_an_unknown_sample_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(DatasetNotFound, match="tiny"):
        catalogue.load_sample("moon", 0)
