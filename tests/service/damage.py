"""A job whose first attempt has crashed, and something of it that is damaged in the store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from app.domain.jobs import Event, advance, new_job
from app.domain.messages import pack
from app.domain.outcomes import How, Outcome
from app.settings import Settings
from app.store import StoredIncumbent
from app.store.opening import open_store
from app.store.postgres import PostgresStore
from app.store.sqlite import SqliteStore
from solver.formats.native import dump_timetable
from solver.rules import Score
from tests.service.conftest import request
from tests.service.solvers import cost, timetable

AT = 1_700_000_000.0
SOUND = pack(dump_timetable(timetable(9)))
UNALTERED: Mapping[str, Any] = {}


def leave(
    place: dict[str, Any], behaviour: str, *, alter: str = "", written: Mapping[str, Any] = UNALTERED, **job: Any
) -> None:
    """A job `j` whose first attempt has crashed and has left a timetable of level nine, which is then damaged."""
    wanted = request("j", behaviour)
    with closing(open_store(Settings(**place))) as store:
        store.submit(new_job(wanted, AT), wanted.packed, 1)
        running = store.claim(AT)
        assert running is not None
        held = StoredIncumbent(score=Score(0, 0, 0, cost(9)), timetable=SOUND, rung="full", found_at=AT)
        store.save_incumbent(running, replace(held, **written))
        lost = advance(running, Event.LOSE, AT, score=held.score, **job)
        store.move(running, lost, outcome=Outcome(how=How.CRASH, at=AT, held=held.score))
        assert isinstance(store, SqliteStore | PostgresStore)
        if alter:
            store._write(lambda work: work.change(alter))
