"""
Answers to post-enrolment problems (`.sln`): a line `slot room` per event, both counted from 0, `-1 -1` for one that is
left out. Lines stand for the sessions of the dataset in their order, so the format serves any dataset.
"""

from __future__ import annotations

from collections.abc import Iterator

from solver.errors import Issue
from solver.formats.ctt_rows import Row, is_number, lines
from solver.formats.issues import MAX_TEXT, raise_if_any
from solver.model import Dataset, Placement, Timetable

__all__ = ["dump_sln", "load_sln"]

LEFT_OUT = ("-1", "-1")


def dump_sln(dataset: Dataset, timetable: Timetable) -> str:
    """
    The timetable as the competition's validator reads it; of a longer session the first slot is written.

    Raises
    ------
    InputError
        A placement names a session or room that the dataset does not have, or not exactly one room.
    """
    known = set(dataset.sessions)
    number = {room.id: r for r, room in enumerate(dataset.rooms)}
    raise_if_any(
        Issue(pointer=f"/placements/{i}", code="dangling_id", message=f"there is no {what} {value!r}", value=value)
        for i, p in enumerate(timetable.placements)
        for what, value, is_known in (
            ("session", list(p.key), p.key in known),
            *(("room", id, id in number) for id in p.room_ids),
        )
        if not is_known
    )
    message = "in .sln an event has exactly one room"
    raise_if_any(
        Issue(pointer=f"/placements/{i}/room_id", code="not_expressible", message=message, value=list(p.room_ids))
        for i, p in enumerate(timetable.placements)
        if len(p.room_ids) != 1
    )
    rows = []
    for key in dataset.sessions:
        p = timetable.by_session.get(key)
        rows.append(" ".join(LEFT_OUT) if p is None else f"{p.slot} {number[p.room_ids[0]]}")
    return "".join(f"{row}\n" for row in rows)


def load_sln(text: str, dataset: Dataset) -> Timetable:
    """
    The timetable of a `.sln` text.

    Raises
    ------
    InputError
        With every problem; pointers are `/line/<n>`, counted from 1.
    """
    rows = list(lines(text))
    raise_if_any(issue for row in rows for issue in _row_issues(row, dataset))
    raise_if_any(_count_issues(rows, dataset))
    return Timetable(
        placements=tuple(
            Placement(course_id=key[0], session=key[1], slot=row.number(0), room_id=dataset.rooms[row.number(1)].id)
            for key, row in zip(dataset.sessions, rows, strict=True)
            if row.words != LEFT_OUT
        )
    )


def _row_issues(row: Row, dataset: Dataset) -> Iterator[Issue]:
    def issue(code: str, message: str, value: object) -> Issue:
        return Issue(pointer=f"/line/{row.line}", code=code, message=message, value=value)

    if len(row.words) != 2:
        yield issue("wrong_count", "a line has two columns: slot room", " ".join(row.words))
        return
    if row.words == LEFT_OUT:
        return
    sizes = (("slot", "bad_slot", dataset.time_grid.num_slots), ("room", "dangling_id", len(dataset.rooms)))
    for word, (what, code, size) in zip(row.words, sizes, strict=True):
        if word == LEFT_OUT[0]:
            yield issue(code, "an event that is left out has -1 for its slot and for its room", -1)
        elif not is_number(word):
            yield issue("wrong_type", f"{what} must be a whole number, got {word[:MAX_TEXT]!r}", word)
        elif int(word) >= size:
            yield issue(code, f"{what} must be 0 to {size - 1}, got {word}", int(word))


def _count_issues(rows: list[Row], dataset: Dataset) -> Iterator[Issue]:
    wanted = len(dataset.sessions)
    if len(rows) != wanted:
        last = rows[-1].line if rows else 1
        message = f"the dataset has {wanted} events, and a line is for each of them; there are {len(rows)} lines"
        yield Issue(pointer=f"/line/{last}", code="wrong_count", message=message, value=len(rows))
