"""Fields of jobs and requests as tests write them: those of the options beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.domain.options import SolveOptions

NAMES = frozenset(field.name for field in fields(SolveOptions))


def with_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields, with those of `SolveOptions` put into one."""
    options = {name: value for name, value in given.items() if name in NAMES}
    return {**{name: value for name, value in given.items() if name not in NAMES}, "options": SolveOptions(**options)}
