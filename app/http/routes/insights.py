"""A result piece by piece: the week of one group, teacher, room or student, use of rooms, differences, one session."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from app.domain.documents import joined
from app.domain.requests import VariantNumber
from app.http.dependencies import JobIdInPath, Running, Service
from app.http.routes.variants import result_of
from app.processes.questions import Work
from app.views.weeks import MAX_STUDENTS, WEEKS_OF, WeekOf
from solver.errors import InputError, Issue
from solver.terms import MAX_ID_LENGTH

router = APIRouter(tags=["results"])
Id = Annotated[str, Query(min_length=1, max_length=200)]
_REVALIDATE = {"Cache-Control": "no-cache"}


@router.get("/variants/{job_id}/who")
async def who(job_id: JobIdInPath, service: Running) -> Response:
    """Every group, teacher and room of the dataset by name, and the number of students."""
    return await _piece(job_id, service, "who")


@router.get("/variants/{job_id}/students")
async def students(
    job_id: JobIdInPath,
    service: Running,
    search: Annotated[str, Query(max_length=100, description="A part of the id.")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_STUDENTS)] = 50,
) -> Response:
    """Students whose id contains a text."""
    return await _piece(job_id, service, "students", search=search, limit=limit)


@router.get("/variants/{job_id}/{n}/week")
async def week(
    job_id: JobIdInPath,
    n: VariantNumber,
    service: Running,
    group: Id | None = None,
    teacher: Id | None = None,
    room: Id | None = None,
    student: Id | None = None,
) -> Response:
    """The week of one group, teacher, room or student: name exactly one of them."""
    asked = dict(zip(WEEKS_OF, (group, teacher, room, student), strict=True))
    named: list[tuple[WeekOf, str]] = [(of, id) for of, id in asked.items() if id is not None]
    if len(named) != 1:
        message = f"name exactly one of {', '.join(WEEKS_OF)}"
        raise InputError([Issue(pointer="", code="one_of", message=message)])
    ((of, id),) = named
    return await _piece(job_id, service, "week", n=n, of=of, id=id)


@router.get("/timetables/{job_id}/department/{dept_id}")
async def department(
    job_id: JobIdInPath,
    dept_id: Annotated[str, Path(min_length=1, max_length=MAX_ID_LENGTH)],
    service: Running,
    variant: VariantNumber = 1,
) -> Response:
    """The entries of the courses of one department, and how many of them are in a hard breach."""
    job, body = await result_of(job_id, service, "department", n=variant, id=dept_id)
    return Response(joined({"job_id": job.id}, body), media_type="application/json", headers=_REVALIDATE)


@router.get("/variants/{job_id}/{n}/load")
async def load(job_id: JobIdInPath, n: VariantNumber, service: Running) -> Response:
    """In which slots each room and teacher is used, and how many sessions run in each slot."""
    return await _piece(job_id, service, "load", n=n)


@router.get("/variants/{job_id}/{n}/difference")
async def difference(
    job_id: JobIdInPath,
    n: VariantNumber,
    service: Running,
    other: Annotated[VariantNumber, Query(description="The variant to compare with.")],
) -> Response:
    """Every session that stands elsewhere in another variant."""
    return await _piece(job_id, service, "difference", n=n, other=other)


@router.get("/variants/{job_id}/{n}/session")
async def session(
    job_id: JobIdInPath,
    n: VariantNumber,
    service: Running,
    course: Id,
    number: Annotated[int, Query(ge=0, le=1000, description="Counted from 0.")] = 0,
) -> Response:
    """Why a session stands where it stands: the rules it breaks, and what keeps it from every other start."""
    return await _piece(job_id, service, "session", n=n, course_id=course, number=number)


async def _piece(job_id: str, service: Service, work: Work, **asked: str | int | bool) -> Response:
    _, body = await result_of(job_id, service, work, **asked)
    return Response(body, media_type="application/json", headers=_REVALIDATE)
