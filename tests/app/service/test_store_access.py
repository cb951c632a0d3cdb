"""What a call does to the store is declared at the contract, and known of every store and through every wrapper."""

from __future__ import annotations

import inspect

from app.service.store_access import passing
from app.store import Store, Traffic, traffic_of
from app.store.sqlite import SqliteStore


def test_every_method_of_the_contract_but_its_end_says_whether_it_reads_or_writes() -> None:
    methods = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    undeclared = {name for name in methods if traffic_of(getattr(SqliteStore, name)) is None}
    assert undeclared == {"close"}


def test_a_wrapped_call_is_known_for_what_it_wraps_and_a_strange_one_is_not() -> None:
    assert traffic_of(passing(SqliteStore.move, before="end.before_commit")) is Traffic.WRITE
    assert traffic_of(SqliteStore.jobs) is Traffic.READ
    assert traffic_of(lambda: None) is None
