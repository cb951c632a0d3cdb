"""What the service refuses on purpose. No HTTP here: `app.http.problems` says how each is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from solver.errors import Issue


class ServiceError(Exception):
    """
    The service refuses a request on purpose.

    `issues` point into the request; `members` become further members of the problem document.
    """

    def __init__(
        self, detail: str, *, issues: Sequence[Issue] = (), members: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail)
        self.issues = tuple(issues)
        self.members = dict(members or {})


class JobNotFound(ServiceError):
    """No job has this id."""

    def __init__(self, job_id: str, **members: object) -> None:
        shown = job_id[:200]
        detail = f"There is no job {shown!r}."
        super().__init__(detail, members={"job_id": shown, "message": detail, **members})


class ResultNotReady(ServiceError):
    """The job has not ended yet."""


class NoResult(ServiceError):
    """The job ended without a timetable, or has no such variant."""


class ConflictNotFound(ServiceError):
    """The timetable has no conflict of this id."""


class NoBundle(ServiceError):
    """The attempt has left no diagnosis."""


class FormatNotAvailable(ServiceError):
    """A result was asked for in a format that we do not write."""


class DatasetNotFound(ServiceError):
    """No sample has this name."""


class SourceNotConfigured(ServiceError):
    """The request names no data, and no platform database is configured to take them from."""


class NotReady(ServiceError):
    """No jobs can be taken at the moment."""


class TooHeavy(ServiceError):
    """Reading the request takes more time or memory than is allowed."""


class ResultTooHeavy(ServiceError):
    """A stored result cannot be made into an answer with the time and memory that there are. Its request was sound."""


class ParsePoolBusy(ServiceError):
    """Too many large requests are being read at this moment."""


class ParsePoolAway(ServiceError):
    """The processes that read large requests do not get to work at this moment."""


class ParsePoolStarved(ServiceError):
    """The kernel has ended the processes that read a request, since there is no memory left; it may be a small one."""


class NotAllowed(ServiceError):
    """The key or token is valid, and has not the right that this takes, or is for other organisations."""


class Refused(ServiceError):
    """
    A refusal by a process that is not ours: what an exception of one of `kinds` (the nearest first) said there.

    `wire_issues` are the first of `total`, ready for JSON (`app.domain.issues.wire_issue`).
    """

    def __init__(
        self,
        kinds: Sequence[str],
        detail: str,
        wire_issues: Sequence[Mapping[str, object]] = (),
        total: int = 0,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail, members=members)
        self.kinds, self.wire_issues, self.total = tuple(kinds), tuple(wire_issues), total

    def was(self, kind: type[Exception]) -> bool:
        """Whether it was an exception of this kind."""
        return kind.__name__ in self.kinds
