"""
The platform's `time_config` as a time grid (platform contract, section 6).

The clamp is the platform's: never more slots a day than fit between start and end without lunch. Its mistakes are not
repeated: seven days work, times may carry seconds, no slot straddles lunch or ends after the day, and a window that
holds no slot is reported instead of becoming a day of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from solver.formats.issues import issues_of, pointer, raise_if_any
from solver.formats.remaining import grid_issues
from solver.formats.shapes import TimeGridShape
from solver.model import MAX_SLOTS_PER_DAY, Issue, TimeGrid

NATIVE_NAMES: Mapping[str, str] = {
    "working_days": "working_days",
    "slots_per_day": "slots_per_day",
    "start_time": "start_time",
    "end_time": "end_time",
    "slot_duration_minutes": "slot_minutes",
}
"""Field of `time_config` -> field of the native grid."""
_PLATFORM_NAMES = {
    **{native: name for name, native in NATIVE_NAMES.items()},
    "lunch/start": "lunch_break_start",
    "lunch/end": "lunch_break_end",
}


def time_grid_from_platform(config: Mapping[str, object]) -> TimeGrid:
    """
    The grid that a `time_config` means. Fields that are missing or null take the defaults of `TimeGrid`, except that a
    null lunch time means that there is no lunch; fields that we do not know are ignored.

    Raises
    ------
    InputError
        With every problem, under the field names of `time_config`.
    """
    native: dict[str, object] = {
        native: config[name] for name, native in NATIVE_NAMES.items() if config.get(name) is not None
    }
    native["lunch"] = _lunch(config)
    slots = native.get("slots_per_day")
    if type(slots) is int and slots > MAX_SLOTS_PER_DAY:
        # The platform accepts any number here, because its clamp cuts what does not fit the day anyway.
        native["slots_per_day"] = MAX_SLOTS_PER_DAY
    try:
        stated = TimeGridShape.model_validate(native).stated()
    except ValidationError as error:
        raise_if_any(map(_renamed, issues_of(error)))
        raise
    lunch = stated["lunch"]
    grid = TimeGrid(**{**stated, "lunch": (lunch.start, lunch.end) if lunch else None})
    raise_if_any(
        _renamed(replace(issue, pointer=issue.pointer.removeprefix("/time_grid"))) for issue in grid_issues(grid)
    )
    return grid


def _lunch(config: Mapping[str, object]) -> dict[str, object] | None:
    default_start, default_end = TimeGrid().lunch or ("", "")
    start = config.get("lunch_break_start", default_start)
    end = config.get("lunch_break_end", default_end)
    # An empty text is what the platform's form sends for a time that was cleared.
    is_off = config.get("lunch_break_enabled") is False or start in (None, "") or end in (None, "")
    return None if is_off else {"start": start, "end": end}


def _renamed(issue: Issue) -> Issue:
    field = issue.pointer.removeprefix("/")
    return replace(issue, pointer=pointer([_PLATFORM_NAMES.get(field, field)]))
