"""
Where the data of a job comes from when the request does not bring it: the interface of the core to such a source.

A request without data is kept as a *ticket*: who asks, and for which half of which year. The ticket lies in the store
in the place of the dataset until the first attempt of the job fetches the data, so a POST waits for nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

AWAITED = "awaits_platform"
"""In the metadata of a job whose stored body is a ticket and not yet a dataset."""
ACCOUNT = "platform_rows"
"""In the metadata of a job whose data came from a source: what was read, mended and left out."""
IMPORT = "import"
"""In the metadata of a job whose data came as a CSV set: how its rows were read."""
MAX_SENTENCES = 100


def counts_of(account: Mapping[str, Any]) -> dict[str, Any]:
    """An account without its sentences, for those who ask every few seconds."""
    return {name: value for name, value in account.items() if not isinstance(value, list)}


class SourceError(Exception):
    """The data cannot be had; the message says why, without secrets. Trying the job again at once would not help."""


class UnknownOrganisation(SourceError):
    """The source is there, and has no such organisation."""


class NothingThere(SourceError):
    """The organisation has nothing that could be scheduled. `size` is what it has, in the names of `Fetched.size`."""

    def __init__(self, why: str, size: Mapping[str, int]) -> None:
        super().__init__(why)
        self.size = size


@dataclass(frozen=True, kw_only=True)
class Query:
    """`semester` is 1 (odd) or 2 (even); `time_grid` wins over the one the source has stored."""

    organization_id: str
    semester: int = 1
    academic_year: str | None = None
    time_grid: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A native document, packed, and its size; `account` says what became of the rows, in words and numbers."""

    packed: bytes
    size: Mapping[str, Any] = field(default_factory=dict)
    account: Mapping[str, Any] = field(default_factory=dict)


class DataSource(Protocol):
    """Both methods block and may be called from any thread."""

    def fetch(self, query: Query) -> Fetched:
        """Raises SourceError, and where that is the reason `UnknownOrganisation` or `NothingThere`."""

    def close(self) -> None:
        """Gives back the connections."""
