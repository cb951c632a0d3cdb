"""Alerts: one table, told once per hold period with a count, ended with a word, and escalated when nobody cares."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import app
from app.domain.jobs import Event, Status
from app.domain.outcomes import How
from app.domain.telemetry import Happening, HelperStopped, Moved, QueueStuck, Recovered, Slow
from app.operations.alerts import ALERTS, MANY, OF_THE_WHOLE, RESPONSES, AlertBook, Message, Severity, message_of
from app.operations.capacity import CapacitySample
from app.operations.metrics import Metrics
from app.settings import Settings
from tests.app.operations.watching import child, ended, job, sample, signs

RULES = yaml.safe_load((Path(app.__file__).parent / "operations" / "alerts.rules.yml").read_text(encoding="utf-8"))
PROMETHEUS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
KEYWORDS = {"sum", "increase", "changes", "delta", "and", "on", "or", "by", "rate", "max", "min", "avg"}
OF_THE_SCRAPER = {"up"}
"""Series that Prometheus makes itself."""


def book(**given: Any) -> AlertBook:
    return AlertBook(
        settings=Settings(**{"alarm_hold_seconds": 60, "alert_hold_seconds": 900, **given}), wall=lambda: 0
    )


def states(messages: list[Message]) -> list[tuple[str, str, int]]:
    return [(message["alert"], message["state"], message["count"]) for message in messages]


STUCK = QueueStuck(waiting=1, seconds=11.0)
DEAD = Moved(job=job("poison", status=Status.FAILED, dead_letter=True), event=Event.FAIL)

HAPPENINGS: Mapping[str, tuple[Happening, Happening]] = {
    "dead_letter": (DEAD, Moved(job=job(status=Status.FAILED), event=Event.FAIL)),
    "queue_stuck": (STUCK, Slow(what="request", seconds=11.0)),
    "service_was_killed": (Recovered(jobs=1, orphans=0, seconds=0.1), Recovered(jobs=0, orphans=0, seconds=0.1)),
    "deadline_missed": (
        ended(How.RESULT, overshoot_seconds=1.5, time_limit_seconds=10),
        ended(How.RESULT, overshoot_seconds=0.9, time_limit_seconds=10),
    ),
    "memory_limit": (ended(How.MEMORY), ended(How.HANG)),
    "helper_stopped": (HelperStopped(helper="reader", pid=1, remedy="replaced"), STUCK),
    "slow_operation": (Slow(what="store.move", seconds=11.0), STUCK),
    "unclean_ends": (ended(How.CRASH), ended(How.CANCEL)),
}
"""Alert -> a happening that raises it, and one much like it that does not."""

STATES: Mapping[str, tuple[CapacitySample, CapacitySample]] = {
    "supervisor_silent": (sample(signs=signs(supervisor_beat_age_seconds=16)), sample()),
    "store_unavailable": (sample(signs=signs(store_available=False)), sample()),
    "disk_full": (sample(disk_free_bytes=100_000_000), sample(disk_free_bytes=300_000_000)),
    "rows_set_aside": (sample(signs=signs(rows_set_aside=2)), sample()),
    "worker_lost": (sample(signs=signs(lost_workers=1)), sample()),
    "slot_quarantined": (sample(signs=signs(quarantined_slots=1)), sample()),
    "child_silent": (
        sample(signs=signs(child(beat_age_seconds=61.0))),
        sample(signs=signs(child(beat_age_seconds=9.0))),
    ),
    "disk_high": (sample(disk_percent=91), sample(disk_percent=89)),
    "queue_old": (sample(signs=signs(oldest_queued_seconds=2000)), sample(signs=signs(oldest_queued_seconds=60))),
    "loop_lag": (sample(lag=1.5), sample(lag=0.2)),
    "memory_high": (sample(memory_percent=86), sample(memory_percent=84)),
    "cpu_high": (sample(cpu_percent=99), sample(cpu_percent=99, signs=signs(child()))),
}
"""Alert -> a sample that raises it, and one that does not; a solver at full load is no reason."""


def held(book: AlertBook, look: CapacitySample, seconds: int) -> list[Message]:
    """What is told while the same look is seen once a second."""
    return [message for at in range(seconds) for message in book.see(moved(look, at))]


def moved(look: CapacitySample, at: float) -> CapacitySample:
    return CapacitySample(at=at, resources=look.resources, loop_lag_seconds=look.loop_lag_seconds, signs=look.signs)


def test_every_alert_of_the_table_has_a_test_or_is_raised_by_name() -> None:
    by_name = {"backup_failed", "internal_error", "delivery_dead_letter", "platform_unreachable", "broker_unreachable"}
    assert {alert.name for alert in ALERTS} == HAPPENINGS.keys() | STATES.keys() | by_name


@pytest.mark.parametrize("name", HAPPENINGS)
def test_a_happening_raises_its_alert_and_a_like_one_does_not(name: str) -> None:
    raising, other = HAPPENINGS[name]
    times = MANY if name == "unclean_ends" else 1
    told = [message for alerts in [book()] for _ in range(times) for message in alerts.hear(raising, 0.0)]
    assert name in {message["alert"] for message in told}
    quiet = book()
    assert name not in {message["alert"] for _ in range(times) for message in quiet.hear(other, 0.0)}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_lasts_raises_its_alert_and_a_healthy_one_does_not(name: str) -> None:
    raising, other = STATES[name]
    assert name in {message["alert"] for message in held(book(), raising, 70)}
    assert name not in {message["alert"] for message in held(book(), other, 70)}


def test_the_same_alert_is_told_once_per_hold_period_with_a_count_and_ends_with_a_word() -> None:
    alerts, told = book(), []
    for second in range(0, 1000, 100):
        told += [(second, *state) for state in states(alerts.hear(STUCK, second))]
        told += [(second, *state) for state in states(alerts.see(sample(second)))]
    assert told == [(0, "queue_stuck", "firing", 1), (900, "queue_stuck", "firing", 9)]
    assert states(alerts.see(sample(900 + 899))) == []
    assert states(alerts.see(sample(900 + 900))) == [("queue_stuck", "resolved", 0)]
    assert not alerts.standing


def test_a_state_is_told_when_it_begins_and_when_it_has_ended() -> None:
    alerts, full = book(), sample(memory_percent=99)
    told = [
        (at, *state) for at in range(300) for state in states(alerts.see(moved(full if at < 120 else sample(), at)))
    ]
    assert told == [(60, "memory_high", "firing", 1), (180, "memory_high", "resolved", 0)]


def test_what_nobody_deals_with_is_told_once_more_as_escalated() -> None:
    alerts = book(alert_hold_seconds=100_000)
    alerts.see(sample(0.0, signs=signs(store_available=False)))
    (raised,) = alerts.see(sample(5.0, signs=signs(store_available=False)))
    assert (raised["severity"], raised["respond_within_seconds"]) == ("critical", 900)
    later = [alerts.see(sample(at, signs=signs(store_available=False))) for at in (904.0, 905.0, 9000.0)]
    assert [states(messages) for messages in later] == [[], [("store_unavailable", "escalated", 0)], []]


def test_unclean_ends_count_only_when_they_come_close_together() -> None:
    alerts = book()
    assert not [m for n in range(20) for m in alerts.hear(ended(How.CRASH), n * 200.0)]
    assert states([m for n in range(MANY) for m in alerts.hear(ended(How.CRASH), 10_000.0 + n)]) == [
        ("unclean_ends", "firing", MANY)
    ]


def test_a_message_says_what_where_how_urgent_and_what_to_do() -> None:
    (message,) = book().hear(DEAD, 0.0)
    assert json.loads(json.dumps(message)) == message
    assert (message["job"], message["severity"], message["escalate_after_seconds"]) == ("poison", "high", 7200)
    assert message["runbook"] == "app/docs/operations.md#alert-dead-letter"
    assert message["sentence"] and message["advice"] and message["since"].endswith("+00:00")


def test_the_view_has_the_most_urgent_first() -> None:
    alerts = book()
    alerts.hear(Slow(what="request", seconds=11.0), 0.0)
    alerts.see(sample(signs=signs(supervisor_beat_age_seconds=16)))
    assert [row["severity"] for row in alerts.view()] == ["critical", "low"]
    assert alerts.by_severity() == {"critical": 1, "high": 0, "medium": 0, "low": 1}


@given(st.lists(st.tuples(st.floats(0, 2000), st.sampled_from([STUCK, DEAD, None])), max_size=60))
@example([(0.0, STUCK), (1.0, STUCK), (899.0, None), (1.0, None), (1.0, STUCK)])
def test_no_alert_is_told_twice_within_a_hold_period_and_none_is_lost(
    steps: list[tuple[float, Happening | None]],
) -> None:
    alerts, at = book(), 0.0
    heard, told, firing = 0, 0, dict[str, float]()
    for pause, happening in steps:
        at += pause
        heard += happening is not None
        messages = (alerts.hear(happening, at) if happening else []) + alerts.see(sample(at))
        for message in messages:
            told += message["count"]
            if message["state"] == "firing":
                assert at - firing.get(message["alert"], -900.0) >= 900.0
                firing[message["alert"]] = at
    assert told + sum(standing.count for standing in alerts.standing.values()) == heard


def test_the_four_levels_have_the_response_times_of_the_guide() -> None:
    hours = {
        level: (response.respond_within / 3600, response.escalate_after / 3600) for level, response in RESPONSES.items()
    }
    assert hours == {
        Severity.CRITICAL: (0.25, 0),
        Severity.HIGH: (1, 2),
        Severity.MEDIUM: (4, 8),
        Severity.LOW: (24, 48),
    }


def test_load_is_never_more_than_the_lowest_level() -> None:
    assert next(alert.severity for alert in ALERTS if alert.name == "cpu_high") is Severity.LOW


# --- the rules for Prometheus ----------------------------------------------------------------------------------------


def words(expression: str) -> set[str]:
    """Names of series in an expression: identifiers that are no labels, functions or operators."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", expression)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.sub(r"\d+e\d+", " ", bare))) - KEYWORDS


def series() -> dict[str, set[tuple[str, str]]]:
    """Every series that we expose from the start -> its labels with their values."""
    metrics = Metrics()
    metrics.render({status.value: 0 for status in Status}, sample(), dict.fromkeys(Severity, 0))
    found: dict[str, set[tuple[str, str]]] = {}
    for family in metrics.registry.collect():
        for line in family.samples:
            found.setdefault(line.name, set()).update(line.labels.items())
    return found


@pytest.mark.parametrize("name", PROMETHEUS)
def test_a_rule_names_series_labels_and_values_that_exist_before_anything_has_happened(name: str) -> None:
    expression, exposed = PROMETHEUS[name]["expr"], series()
    named = words(expression) - OF_THE_SCRAPER
    assert named <= exposed.keys()
    for metric, inside in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        for label, operator, text in re.findall(r'(\w+)(=~|=)"([^"]*)"', inside):
            if label == "job":  # the scraper's own
                continue
            for value in text.split("|") if operator == "=~" else [text]:
                assert (label, value) in exposed[metric]


@pytest.mark.parametrize("name", PROMETHEUS)
def test_a_rule_has_a_level_a_sentence_and_a_place_in_the_runbook(name: str) -> None:
    rule = PROMETHEUS[name]
    assert rule["labels"]["severity"] in {severity.value for severity in Severity}
    assert rule["annotations"]["summary"].endswith(".") and len(rule["annotations"]["summary"]) > 20
    ours = {alert.runbook for alert in ALERTS} | {
        *(f"app/docs/operations.md#alert-{name}" for name in ("down", "worker-down", "not-ready"))
    }
    assert rule["annotations"]["runbook_url"] in ours


def test_rules_and_alerts_of_the_same_name_have_the_same_level() -> None:
    ours = {alert.runbook: alert.severity.value for alert in ALERTS}
    shared = [rule for rule in PROMETHEUS.values() if rule["annotations"]["runbook_url"] in ours]
    differing = {"TimetableRestartLoop"}  # once is for the morning, a loop is not
    for rule in shared:
        if rule["alert"] not in differing:
            assert rule["labels"]["severity"] == ours[rule["annotations"]["runbook_url"]], rule["alert"]


@pytest.mark.parametrize("name", ["timetable_queue_oldest_seconds", "timetable_workers"])
def test_what_everybody_knows_of_the_queue_is_an_alert_once(name: str) -> None:
    about = [rule["expr"] for rule in PROMETHEUS.values() if name in rule["expr"]]
    assert about and all(expression.startswith("max(") for expression in about)


@pytest.mark.parametrize("rule", ["TimetableWorkerDown", "TimetableRestartLoop"])
def test_workers_are_watched_as_services_are(rule: str) -> None:
    assert re.search(r'job=~?"[^"]*\btimetable_worker\b', PROMETHEUS[rule]["expr"])


def test_what_the_bar_names_has_a_rule() -> None:
    expressions = " ".join(rule["expr"] for rule in PROMETHEUS.values())
    for part in (
        *("queue_oldest", "deadlines_missed", "kills_total", "dead_lettered", "store_available", "loop_lag"),
        *('resource="disk"', 'resource="memory"', 'resource="cpu"', "backups_total", "process_start_time"),
    ):
        assert part in expressions


def test_a_message_is_made_without_losing_the_count() -> None:
    alerts = book()
    alerts.hear(STUCK, 0.0)
    alerts.hear(STUCK, 1.0)
    assert message_of(alerts.standing["queue_stuck"], "resolved")["count"] == 1


def test_the_rules_travel_with_the_package() -> None:
    project = tomllib.loads((Path(app.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "*.yml" in project["tool"]["setuptools"]["package-data"]["*"]


def test_what_is_left_out_is_neither_heard_nor_seen() -> None:
    alerts = AlertBook(settings=Settings(), left_out=OF_THE_WHOLE | {"queue_stuck"})
    assert alerts.hear(STUCK, 0.0) == []
    assert alerts.see(sample(signs=signs(lost_workers=1, oldest_queued_seconds=5000))) == []
    assert states(alerts.see(sample(signs=signs(store_available=False, quarantined_slots=1)))) == [
        ("slot_quarantined", "firing", 1)
    ]
