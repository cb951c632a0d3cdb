"""Puts a university together: curriculum, campus, staff, planted timetable, and the dataset drawn around it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from solver.model import Dataset, Timetable
from solver.samples import contradictions, entities
from solver.samples.campus import build_campus
from solver.samples.curriculum import build_curriculum
from solver.samples.links import links
from solver.samples.planting import plant
from solver.samples.shapes import SHAPES
from solver.samples.staffing import hire


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`planted` keeps every hard rule of `dataset`; it leaves open only what `contradictions` made impossible."""

    dataset: Dataset
    planted: Timetable


def build(preset: str, seed: int, scale: int = 1) -> Sample:
    """
    Builds a preset, `scale` times as large; the same arguments give the same records on every machine.

    Raises
    ------
    KeyError
        There is no such preset.
    """
    shape = SHAPES[preset].times(scale)
    # One stream of chance per concern: a new draw in one of them leaves the others as they were.
    curriculum = build_curriculum(shape, _stream(preset, seed, "curriculum"))
    campus = build_campus(shape, curriculum, _stream(preset, seed, "campus"))
    teachers = hire(shape, curriculum, _stream(preset, seed, "staff"))
    planted = plant(shape, curriculum, campus, teachers, _stream(preset, seed, "planting"))
    university = entities.University(
        shape=shape, curriculum=curriculum, campus=campus, teachers=teachers, planted=planted
    )
    made_from = preset if scale == 1 else f"{preset} x {scale}"
    dataset = Dataset(
        name=f"{shape.title} (sample {made_from}, seed {seed})",
        time_grid=shape.grid,
        rooms=entities.rooms(university, _stream(preset, seed, "closures")),
        faculty=entities.faculty(university, _stream(preset, seed, "faculty")),
        groups=entities.groups(university, _stream(preset, seed, "shifts")),
        courses=entities.courses(university, _stream(preset, seed, "courses")),
        links=links(university, _stream(preset, seed, "links")),
        travel_minutes=campus.travel_minutes,
        history=entities.history(university, _stream(preset, seed, "history")),
        rules=shape.rules,
    )
    timetable = university.timetable()
    if preset == "infeasible":
        dataset = contradictions.added_to(dataset)
    return Sample(dataset=dataset, planted=timetable)


def _stream(preset: str, seed: int, concern: str) -> Random:
    """A generator of its own; `Random` hashes text with SHA-512, which no interpreter setting changes."""
    return Random(f"{preset}/{seed}/{concern}")  # nosec B311 - samples, not secrets
