"""
Names that nobody knows, and which known one was probably meant: `time_limit_second` must not pass without a word.

What looks like a known name is refused where the request is plainly made for us. A body with fields of the platform may
have more of those than we know; there it is told in the answer, and nothing is refused. Any other unknown name is told
as well: it was not used.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from app.domain.requests import META_FIELDS, GenerateRequest, TimeConfig
from solver.errors import InputError, Issue
from solver.formats.issues import kind_of, pointer
from solver.formats.safe import shortened

SIMILAR = 0.83
"""`difflib`'s ratio from which on a name is a slip of the pen; `stauts` and `status` have 0.833."""
MEANT: Mapping[str, str] = {
    "time_limit": "time_limit_seconds",
    "timelimit": "time_limit_seconds",
    "timeout": "time_limit_seconds",
    "timeout_seconds": "time_limit_seconds",
    "max_seconds": "time_limit_seconds",
    "max_time_seconds": "time_limit_seconds",
    "solve_seconds": "time_limit_seconds",
    "variants": "num_variants",
    "variant_count": "num_variants",
    "max_variants": "num_variants",
    "threads": "workers",
    "num_workers": "workers",
    "random_seed": "seed",
    "sample": "dataset_name",
    "constraints": "rules",
    "weights": "rules",
}
"""What people write who have seen other programs -> our field."""
OF_THE_PLATFORM = frozenset({*META_FIELDS, "time_config"})
MOST_NAMED, MOST_NAME = 5, 60
"""Unknown names that are told, and characters of each."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def meant_by(name: str, known: Collection[str]) -> str | None:
    """The known name that an unknown one is close to, None when it is close to none."""
    plain = _HUMP.sub("_", name).replace("-", "_").replace(" ", "_").lower()
    if plain in known:
        return plain
    if MEANT.get(plain) in known:
        return MEANT[plain]
    return next(iter(difflib.get_close_matches(plain[:MOST_NAME], known, n=1, cutoff=SIMILAR)), None)


def near_misses(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Of the names that are not known those that are close to a known one, with that one."""
    return {name: meant for name in names if name not in known and (meant := meant_by(name, known)) is not None}


def refuse_near_misses(names: Iterable[str], known: Collection[str], what: str = "field") -> None:
    """Raises InputError with every name that is close to a known one."""
    found = near_misses(names, known)
    if found:
        raise InputError(
            Issue(
                pointer=pointer((name,)),
                code=f"unknown_{what}",
                message=f"there is no {what} {shortened(name, MOST_NAME)!r}; did you mean {meant!r}?",
                value=None,
            )
            for name, meant in found.items()
        )


def strangers_of(document: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    """
    What a body of `POST /generate_variants` has by a name that is close to a field: name -> asked, given, meant.

    Raises InputError where nothing of the platform is named, so that nobody but the sender can mean the field.
    """
    fields, form = GenerateRequest.model_fields, document.get("time_config")
    if OF_THE_PLATFORM.isdisjoint(document):
        refuse_near_misses(document, fields)
    found = dict(_told(document, near_misses(document, fields), ""))
    if isinstance(form, dict):
        found |= dict(_told(form, near_misses(form, TimeConfig.model_fields), "time_config."))
    return found


def _told(
    document: Mapping[str, Any], misses: Mapping[str, str], prefix: str
) -> Iterator[tuple[str, dict[str, object]]]:
    for name, meant in misses.items():
        value = document[name]
        short = shortened(value, MOST_NAME) if isinstance(value, str) else value
        asked = short if isinstance(short, str | bool | int | float | None) else kind_of(value)
        yield f"{prefix}{shortened(name, MOST_NAME)}", {"asked": asked, "given": None, "meant": f"{prefix}{meant}"}


def unused_note(document: Mapping[str, Any]) -> str | None:
    """A sentence that names the fields which are close to none of ours; None when there are none."""
    known = GenerateRequest.model_fields
    names = [name for name in document if name not in known and meant_by(name, known) is None]
    if not names:
        return None
    shown = ", ".join(shortened(name, MOST_NAME) for name in names[:MOST_NAMED] if name.isprintable())
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"Not used, because no such field is known: {shown or len(names)}{more}."
