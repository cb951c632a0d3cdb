"""The samples that the service can solve and hand out, made once per process: a sample is the same bytes for ever."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

from app.domain.exceptions import DatasetNotFound
from solver.formats.native import dump_dataset
from solver.model import Dataset
from solver.samples import PRESETS, sample


class SampleDataset(NamedTuple):
    """A sample as an object and as native JSON. Shared by all requests, so nobody may change the JSON."""

    dataset: Dataset
    document: dict[str, Any]


_MAKING = {name: Lock() for name in PRESETS}
"""Who asks for a sample that is just being made waits for it; other samples are not held up."""


def load_sample(name: str, seed: int) -> SampleDataset:
    """
    Makes a sample, or remembers it. Takes up to seconds for the largest, so call it off the event loop.

    Raises
    ------
    DatasetNotFound
        No sample has this name.
    """
    if name not in PRESETS:
        raise DatasetNotFound(f"There is no dataset {name[:100]!r}; there are {', '.join(PRESETS)}.")
    with _MAKING[name]:
        return _make(name, seed)


@lru_cache(maxsize=8)
def _make(name: str, seed: int) -> SampleDataset:
    dataset = sample(name, seed)
    return SampleDataset(dataset, dump_dataset(dataset))


def describe_samples() -> list[dict[str, str]]:
    """Every sample with its name, what it is, and where its request body stands."""
    return [{"name": name, "description": text, "href": f"/datasets/{name}"} for name, text in PRESETS.items()]
