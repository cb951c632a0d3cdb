"""What assistants have found, on its way into the child that solves."""

from __future__ import annotations

from app.domain.messages import OfferFrame, pack
from app.processes.offers import Offers
from solver.formats.native import dump_timetable
from tests.service.solvers import timetable


def offer(level: int, number: int = 1) -> OfferFrame:
    return OfferFrame(found_by=number, body=pack(dump_timetable(timetable(level))))


def test_an_offer_is_taken_once_and_a_newer_one_takes_its_place() -> None:
    offers = Offers()
    assert offers.take() is None
    offers.put(offer(3))
    offers.put(offer(5))
    assert offers.take() == timetable(5)
    assert offers.take() is None


def test_the_finder_of_an_offer_is_known_by_the_timetable_and_whatever_came_of_it_is_ours() -> None:
    offers = Offers()
    assert offers.finder_of(timetable(3)) == 0
    offers.put(offer(3, number=2))
    offers.take()
    assert offers.finder_of(timetable(3)) == 2
    assert offers.finder_of(timetable(4)) == 0


def test_an_offer_that_nobody_can_read_is_left_out() -> None:
    offers = Offers()
    for body in (b"", b"no packed document", pack({"placements": [{"course_id": 3}]}), pack([])):
        offers.put(OfferFrame(found_by=1, body=body))
        assert offers.take() is None
    offers.put(offer(3))
    assert offers.take() == timetable(3)
