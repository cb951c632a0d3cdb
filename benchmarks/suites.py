"""What can be measured: named suites of seeded samples, or any folder or file of instances."""

from __future__ import annotations

from pathlib import Path

from solver.formats import read_dataset
from solver.model import Dataset
from solver.samples import PRESETS, sample

SAMPLE_PREFIX = "sample:"
SUITES: dict[str, tuple[str, ...]] = {
    "campus": ("sample:tiny", "sample:college", "sample:university"),
    "bhu": ("sample:bhu",),
    "infeasible": ("sample:infeasible",),
}


def instances(suite: str) -> list[str]:
    """
    Names of the instances of a suite: `sample:<preset>` or a path.

    Raises
    ------
    FileNotFoundError
        The suite is neither a name, a preset, nor an existing folder or file.
    """
    if suite in SUITES:
        return list(SUITES[suite])
    if suite.removeprefix(SAMPLE_PREFIX) in PRESETS:
        return [SAMPLE_PREFIX + suite.removeprefix(SAMPLE_PREFIX)]
    path = Path(suite)
    if path.is_file():
        return [str(path)]
    found = sorted(str(p) for p in path.iterdir() if p.suffix in {".ctt", ".json"}) if path.is_dir() else []
    if not found:
        names = ", ".join([*SUITES, *PRESETS])
        raise FileNotFoundError(f"{suite!r} is no suite ({names}) and no file or folder with instances")
    return found


def load(instance: str) -> Dataset:
    """The dataset of an instance name."""
    if instance.startswith(SAMPLE_PREFIX):
        return sample(instance.removeprefix(SAMPLE_PREFIX))
    return read_dataset(Path(instance))


def short_name(instance: str) -> str:
    """`comp01` for `.../comp01.ctt`, `college` for `sample:college`."""
    return Path(instance.removeprefix(SAMPLE_PREFIX)).stem
