"""
How settings come out of environment variables: what a row of their table says, by which name it is read, and what is
told of a value that cannot be used. The table itself is `app.settings.Settings`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

PREFIX = "TIMETABLE_"


class SettingsError(Exception):
    """
    One or more settings cannot be used; the message names each variable, its value and what is expected.

    It is no ValueError, which pydantic would turn into one of its own.
    """


class ExtraMissing(SettingsError):
    """Settings ask for extras that are not installed; `sentences` say so, by setting."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__("; ".join(sentences.values()))
        self.sentences = dict(sentences)


def setting(
    default: object,
    unit: str,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    aliases: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """
    One row of the table. A callable default is asked when the settings are made; limits are inclusive.

    A `secret` value is never shown.
    """
    made: dict[str, Any] = {"default_factory": default} if callable(default) else {"default": default}
    beside: dict[str, Any] = {"unit": unit, "low": low, "high": high, "aliases": aliases, "secret": secret}
    return Field(description=text, ge=low, le=high, repr=not secret, json_schema_extra=beside, **made)


def _expanded(given: object) -> object:
    """A path with its `~` replaced."""
    try:
        return Path(given).expanduser() if isinstance(given, str) else given
    except RuntimeError as error:  # ~ of a user who does not exist
        raise ValueError(str(error)) from error


PathThere = Annotated[Path, BeforeValidator(_expanded)]


class SettingSpec(NamedTuple):
    """What the table says of a setting. `words` are all that may be said, when there are some; limits are inclusive."""

    kind: type
    words: tuple[str, ...]
    help: str
    unit: str
    low: float | None
    high: float | None
    aliases: tuple[str, ...]
    secret: bool


def spec_of(field: FieldInfo) -> SettingSpec:
    """The row that `setting` has made a field of."""
    kind: Any = field.annotation
    words: tuple[str, ...] = get_args(kind)
    beside: Any = field.json_schema_extra
    return SettingSpec(str if words else kind, words, field.description or "", **beside)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def set_by(name: str, spec: SettingSpec, env: Mapping[str, str]) -> str | None:
    """The first variable of this setting that is set and not empty."""
    return next((other for other in (variable(name), *spec.aliases) if env.get(other, "").strip()), None)


def text_in(spec: SettingSpec, text: str) -> str:
    """What a variable says; a folder may have blanks at the ends of its name."""
    return text if spec.kind is Path else text.strip()


def entries_of(text: str) -> tuple[str, ...]:
    """The entries of a list with commas."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def narrows_down(name: str) -> bool:
    """Whether it is an address or a network, and not all addresses there are."""
    try:
        return ipaddress.ip_network(name).prefixlen > 0
    except ValueError:
        return False


def sentence(found: ErrorDetails, specs: Mapping[str, SettingSpec], read: Mapping[str, str]) -> str:
    """What pydantic found wrong. Only numbers and words can be, so that no secret is quoted."""
    name = str(found["loc"][0])
    if name not in specs:
        return f"there is no setting {name!r}"
    return f"{read.get(name, variable(name))}={found['input']!r}: expected {_expected(specs[name])}"


def _expected(spec: SettingSpec) -> str:
    if spec.words:
        return f"one of {', '.join(spec.words)}"
    words = {int: "a whole number", float: "a number", Path: "a path", str: "text"}[spec.kind]
    limits = f" from {spec.low} to {spec.high}" if spec.low is not None else ""
    return f"{words}{limits}" + (f" ({spec.unit})" if spec.unit else "")
