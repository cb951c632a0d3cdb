"""
The JSON schema of a native dataset, made from the shapes that its reader uses: for people's editors and for clients.

What a schema cannot say (names that lead somewhere, sums that fit) is for the reader, which tells all of it at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from solver.formats.shapes import (
    UNSET,
    CourseShape,
    FacultyShape,
    GroupShape,
    LinkShape,
    RatingShape,
    RoomShape,
    RuleShape,
    Shape,
    TermShape,
    TimeGridShape,
)

DatasetName = Literal["timetable-dataset/2", "timetable-dataset/1"]


class TimetableDataset(Shape):
    """Everything that a timetable is made from; what is left out has the default that the reader documents."""

    schema_name: Annotated[DatasetName, Field(alias="schema")]
    name: str = UNSET
    time_grid: TimeGridShape = UNSET
    term: TermShape = UNSET
    rooms: list[RoomShape]
    faculty: list[FacultyShape] = UNSET
    groups: list[GroupShape] = UNSET
    courses: list[CourseShape]
    links: list[LinkShape] = UNSET
    history: list[RatingShape] = UNSET
    travel_minutes: dict[str, dict[str, int]] = UNSET
    rules: dict[str, RuleShape] = UNSET


class _WithoutDefaults(GenerateJsonSchema):
    """Optional fields of shapes have a mark instead of their default, which would be told as a null."""

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def dataset_schema(reference: str = "#/$defs/{model}") -> dict[str, Any]:
    """
    The schema as JSON data; definitions of its parts stand under `$defs`.

    Parameters
    ----------
    reference
        How a part is pointed at, `{model}` being its name.
    """
    return TimetableDataset.model_json_schema(ref_template=reference, schema_generator=_WithoutDefaults)
