"""What the solver raises on purpose, and the issues that say why an input cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One problem of the input: where (JSON pointer), what kind (stable code), which value, and a sentence."""

    pointer: str
    code: str
    message: str
    value: object = None


def in_words(error: OSError) -> str:
    """What the system refused, for people: "data.json: no such file or directory", without the number of the error."""
    reason = error.strerror or str(error) or type(error).__name__
    reason = reason[:1].lower() + reason[1:]
    return reason if error.filename is None else f"{error.filename}: {reason}"


class SolverError(Exception):
    """Base of everything the solver raises on purpose. Infeasible, late and cancelled are results, not errors."""


class InputError(SolverError):
    """The input cannot be used; `issues` lists every problem found, in document order."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        first = self.issues[0] if self.issues else None
        more = f" (and {len(self.issues) - 1} more)" if len(self.issues) > 1 else ""
        super().__init__(f"{first.pointer}: {first.message}{more}" if first else "invalid input")
