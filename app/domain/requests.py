"""
What a request body may say. Numbers that only ask for too much are clamped later; here only nonsense is refused.

The platform's own fields are taken in every form its two versions send them; fields that nobody knows are ignored,
except where one that is misspelt would do harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from solver.calendar import TimeGrid
from solver.rules import RULE_IDS
from solver.terms import MAX_NUMBER

SourceFormat = Literal["json", "ctt", "tim", "csv_zip"]
"""A CSV set comes as a zip file under either name."""
ODD, EVEN = 1, 2
MAX_BATCHES = 500
MAX_RULES = 100
"""Far more than there are rules, so that wrong names are listed, and not millions of them."""
_JOB_ID = "[A-Za-z0-9](?:[A-Za-z0-9._: -]{0,126}[A-Za-z0-9._:-])?"
JOB_ID_PATTERN = f"^{_JOB_ID}$"
TIMETABLE_ID_PATTERN = f"^{_JOB_ID}(-variant-[1-9][0-9]{{0,2}})?$"
CONFLICT_ID_PATTERN = "^[a-z]{1,20}_[0-9a-f]{16}$"
_JOB_ID_IN_WORDS = "be 1 to 128 letters, digits, spaces or . _ : -, begin with a letter or digit and end with no space"
_LONG_VARIANT = re.compile(rf"{_JOB_ID}-variant-([1-9][0-9]{{0,2}})")
PATTERNS: Mapping[str, str] = {
    JOB_ID_PATTERN: _JOB_ID_IN_WORDS,
    TIMETABLE_ID_PATTERN: f"{_JOB_ID_IN_WORDS}; -variant-<n> with n from 1 to 999 may follow",
    CONFLICT_ID_PATTERN: "be an id that /conflicts/detect has told, such as room_0123456789abcdef",
}
"""Pattern -> what a text that must match it must be, in words."""


def semester_of(value: object) -> int:
    """1 (odd) or 2 (even) of whatever the platform sends: a number, "odd", "even"; what says nothing counts as 1."""
    text = str(value).strip().lower()
    if text == "even":
        return EVEN
    try:
        number = float(text)
    except ValueError:
        return ODD
    return EVEN if number % 2 == 0 else ODD


def _text(value: object) -> object:
    """Numbers where the platform declares text become text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _number(value: object) -> object:
    """Texts and truth values are no numbers, even if they could be read as such."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("number_type", "expected a number")
    return value


def _at_most(entries: int) -> Callable[[object], object]:
    """Looks at the length before the entries, so that no list of faults can become longer than the list may be."""

    def checked(value: object) -> object:
        if isinstance(value, list | dict) and len(value) > entries:
            raise PydanticCustomError("too_long", "at most {max_length} entries", {"max_length": entries})
        return value

    return checked


def _variant_number(value: object) -> object:
    """The number in the platform's name of a variant, `<job id>-variant-<n>`; whatever else is given stays as it is."""
    matched = _LONG_VARIANT.fullmatch(value) if isinstance(value, str) else None
    return matched[1] if matched else value


VariantNumber = Annotated[
    int,
    BeforeValidator(_variant_number),
    Field(ge=1, le=1000, description="Counted from 1, or `<job id>-variant-<n>` as the platform calls it."),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1000}, {"type": "string"}]}),
]
Text = Annotated[
    str,
    BeforeValidator(_text),
    Field(max_length=300),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 300}, {"type": "number"}]}),
]
Whole = Annotated[int, BeforeValidator(_number)]
JobId = Annotated[
    str,
    Field(pattern=JOB_ID_PATTERN),
    WithJsonSchema({"type": "string", "pattern": JOB_ID_PATTERN.replace("^", r"^(\s*|").replace("$", ")$")}),
]


class RuleOverride(BaseModel):
    """What a request says about one rule; what it leaves out stays as the dataset or the rule table has it."""

    model_config = ConfigDict(extra="forbid")

    tier: Literal["hard", "soft", "off"] | None = None
    weight: Annotated[Whole, Field(ge=0, le=MAX_NUMBER)] | None = None
    value: Annotated[Whole, Field(ge=0, le=MAX_NUMBER)] | None = None


Rules = Annotated[dict[str, RuleOverride], BeforeValidator(_at_most(MAX_RULES)), Field(max_length=MAX_RULES)]


class TimeConfig(BaseModel):
    """The platform's time form. A null means "not set", except for lunch, where it means "no lunch"."""

    working_days: int | None = None
    slots_per_day: int | None = None
    start_time: str | None = None
    end_time: str | None = None
    slot_duration_minutes: int | None = None
    lunch_break_enabled: bool | None = None
    lunch_break_start: str | None = "12:00"
    lunch_break_end: str | None = "13:00"

    def grid(self) -> dict[str, object]:
        """The same as `time_grid` of a native dataset; what is not set takes the default of `TimeGrid`."""
        default = TimeGrid()
        has_lunch = self.lunch_break_enabled is not False and self.lunch_break_start and self.lunch_break_end
        return {
            "working_days": default.working_days if self.working_days is None else self.working_days,
            "slots_per_day": default.slots_per_day if self.slots_per_day is None else self.slots_per_day,
            "start_time": self.start_time or default.start_time,
            "end_time": self.end_time or default.end_time,
            "slot_minutes": (
                default.slot_minutes if self.slot_duration_minutes is None else self.slot_duration_minutes
            ),
            "lunch": {"start": self.lunch_break_start, "end": self.lunch_break_end} if has_lunch else None,
        }


TIME_CONFIG_FIELDS: Mapping[str, str] = {
    "working_days": "working_days",
    "slots_per_day": "slots_per_day",
    "start_time": "start_time",
    "end_time": "end_time",
    "slot_minutes": "slot_duration_minutes",
    "lunch/start": "lunch_break_start",
    "lunch/end": "lunch_break_end",
}
"""Field of the native grid -> field of `time_config`, for pointers."""


MAX_NAME = 128
"""Characters of the name of a sample."""


class Source(BaseModel):
    """Where the data comes from: one of `dataset`, `dataset_name`, `content` with `format`; none is the platform."""

    model_config = ConfigDict(protected_namespaces=())

    dataset: Any = Field(default=None, description="A native dataset (timetable-dataset/2 or 1).")
    dataset_name: str | None = Field(
        default=None, max_length=MAX_NAME, description="Name of a sample; see GET /datasets."
    )
    content: str | None = Field(
        default=None,
        description="A whole file as text, in the format that `format` names; csv_zip: a zip in base64.",
    )
    format: SourceFormat | None = Field(default=None, description="Format of `content`.")

    @property
    def named(self) -> list[str]:
        """The sources that the request names."""
        return [name for name in ("dataset", "dataset_name", "content") if getattr(self, name) is not None]


class GenerateRequest(Source):
    """Body of `POST /generate_variants`: the platform's fields, one source, and what to do with it."""

    job_id: Annotated[JobId | None, BeforeValidator(_none_if_blank)] = Field(
        default=None, description="Made up when missing. The same id with the same body is the same job."
    )
    organization_id: Text | None = Field(default=None, description="Name or UUID of the organisation.")
    department_id: Text | None = None
    batch_ids: Annotated[list[Text] | None, BeforeValidator(_at_most(MAX_BATCHES))] = Field(
        default=None, max_length=MAX_BATCHES
    )
    semester: Annotated[int, BeforeValidator(semester_of), WithJsonSchema({})] = Field(
        default=ODD, description='1 or "odd", 2 or "even"; anything else counts as 1.'
    )
    academic_year: Text | None = None
    time_config: Any = Field(default=None, description="The platform's time form, for a source without a grid.")
    quality_mode: Text | None = None
    university_id: Text | None = None
    generation_type: Text | None = None
    scope: Text | None = None
    priority: Text | None = None
    created_at: Text | None = None
    num_variants: Annotated[Whole, Field(ge=1)] | None = None
    time_limit_seconds: Annotated[float, BeforeValidator(_number), Field(gt=0)] | None = None
    workers: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Solver threads of the job; never more than the service allows one job."
    )
    portfolio_workers: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None,
        description="Workers that may solve the job together, however small it is; never more than the service allows.",
    )
    seed: Whole = Field(default=0, ge=0, lt=2**31)
    rules: Rules = Field(default_factory=dict, description=f"By rule: {', '.join(RULE_IDS)}.")


ADDED_FIELDS = ("workers", "portfolio_workers")
"""Fields that earlier versions did not know; a body that does not name them has the hash that it had then."""


META_FIELDS = (
    "organization_id",
    "department_id",
    "batch_ids",
    "semester",
    "academic_year",
    "quality_mode",
    "university_id",
    "generation_type",
    "scope",
    "priority",
    "created_at",
)
"""What a job keeps of the request besides the work itself; shown again in progress and results."""

MAY_BE_MISSING = ("time_config", *(name for name in META_FIELDS if name not in ("organization_id", "semester")))
"""
The platform has two ways to post one job, and each leaves out some of these: a request that lacks one of them, or has
it where the first one did not, is still the same.
"""


class ValidateRequest(Source):
    """Body of `POST /validate`; a bare native dataset is accepted as well."""


class ScoreRequest(Source):
    """Body of `POST /score`: a source, and a timetable made elsewhere."""

    timetable: Any = Field(default=None, description="Native: placements of course_id, session, slot, room_id.")
    solution: str | None = Field(
        default=None,
        description="The same as ITC-2007 lines: `course room day period`, for a .tim problem `slot room`.",
    )
    rules: Rules = Field(default_factory=dict)


PlatformData: TypeAlias = Literal["courses", "faculty", "rooms", "students", "time_slots", "config"]
"""What the platform may name in a request about caches, beside all of it."""
PLATFORM_DATA: tuple[PlatformData, ...] = get_args(PlatformData)


class CacheRequest(BaseModel):
    """
    Body of `POST /cache/invalidate` and `POST /cache/warm`.

    A field that nobody knows is refused: with one that is misspelt, more would be dropped than was meant.
    """

    model_config = ConfigDict(extra="forbid")

    organization_id: Annotated[Text, Field(min_length=1, description="As jobs name it: name or UUID.")]
    resource_type: Literal["all", PlatformData] = "all"
    semester: Text | None = Field(default=None, description="As in a job; null means all.")
