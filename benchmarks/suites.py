"""
What can be measured: named suites of seeded samples, the competition's instances, or any folder or file of instances.

The competition's instances are not part of the project. They are looked for in the folder that `BENCHMARK_DATASETS`
names, by default `shared/datasets` beside the checkout, as `itc2007-cbctt/*.ctt` and `itc2007-pectt/*.tim`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from solver.formats import read_dataset
from solver.model import Dataset
from solver.samples import PRESETS, sample

SAMPLE_PREFIX = "sample:"
READABLE = frozenset({".ctt", ".tim", ".json"})
SUITES: dict[str, tuple[str, ...]] = {
    "campus": ("sample:tiny", "sample:college", "sample:university"),
    "growth": ("sample:university", "sample:university*2", "sample:university*4"),
    "bhu": ("sample:bhu",),
    "bhu-growth": ("sample:bhu", "sample:bhu*2", "sample:bhu*4"),
    "infeasible": ("sample:infeasible",),
}
"""`*N` behind a preset: a university N times as large."""
FOLDERS: dict[str, str] = {"cbctt": "itc2007-cbctt", "pectt": "itc2007-pectt"}
SAMPLE = re.compile(rf"{SAMPLE_PREFIX}(?P<preset>[a-z]+)(?:\*(?P<scale>[1-9][0-9]?))?")


def datasets_folder() -> Path:
    """Where datasets that are not ours lie, if they are there at all."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "datasets"
    return Path(os.environ.get("BENCHMARK_DATASETS") or beside)


def instances(suite: str) -> list[str]:
    """
    Names of the instances of a suite: `sample:<preset>`, `sample:<preset>*<scale>` or a path.

    Raises
    ------
    FileNotFoundError
        The suite is neither a name, a preset, nor an existing folder or file.
    """
    if suite in SUITES:
        return list(SUITES[suite])
    one = SAMPLE.fullmatch(SAMPLE_PREFIX + suite.removeprefix(SAMPLE_PREFIX))
    if one and one["preset"] in PRESETS:
        return [one[0]]
    path = datasets_folder() / FOLDERS[suite] if suite in FOLDERS else Path(suite)
    if path.is_file():
        return [str(path)]
    found = sorted(str(p) for p in path.iterdir() if p.suffix in READABLE) if path.is_dir() else []
    if not found:
        names = ", ".join([*SUITES, *FOLDERS, *PRESETS])
        raise FileNotFoundError(
            f"{suite!r} is no suite ({names}) and {path} is no file or folder with instances; "
            "BENCHMARK_DATASETS names the folder of those that are not ours"
        )
    return found


def load(instance: str) -> Dataset:
    """The dataset of an instance name."""
    if one := SAMPLE.fullmatch(instance):
        return sample(one["preset"], scale=int(one["scale"] or 1))
    return read_dataset(Path(instance))


def short_name(instance: str) -> str:
    """`comp01` for `.../comp01.ctt`, `college` for `sample:college`; for a name that nothing has to exist of."""
    return instance.removeprefix(SAMPLE_PREFIX) if instance.startswith(SAMPLE_PREFIX) else Path(instance).stem
