"""
Prometheus metrics: the guide's three names and our own, one registry per application.

Three sources: requests (`Measured`), happenings that the supervisor tells (`Metrics.observe_happening`), and the state
at the moment of a scrape (`Metrics.render`). Labels come from closed sets (route templates, codes, states); a label
never holds an id, so series cannot pile up. Counters stand at 0 from the start, so that a first event shows as a rise.
"""

from __future__ import annotations

import logging
import platform
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from app import SERVICE, service_version
from app.domain.diagnosis import Verdict
from app.domain.jobs import Event, Job
from app.domain.outcomes import How
from app.domain.portfolio import ENDS, OWNER
from app.domain.telemetry import (
    HELPERS,
    Assisted,
    AttemptEnded,
    Happening,
    HelperStopped,
    Moved,
    QueueStuck,
    Recovered,
    Shared,
    Signs,
    Slow,
    StageLeft,
    Stalled,
    Started,
    StoreCalled,
    StoreTrouble,
)
from app.operations.capacity import CapacitySample
from app.processes.watch import longest_overshoot
from app.store import Store
from app.store.notifications import DEPENDENCIES, OUTCOMES
from solver.control import STAGES
from solver.result import RungId

INTERNAL_ERROR = "internal_error"
UNMATCHED, OTHER = "unmatched", "other"
"""Code of `app.http.problems` for what nobody has foreseen."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STAGES, _VERDICTS, _ENDS = frozenset(STAGES), frozenset(Verdict), frozenset(ENDS)
KILLED = -9
"""Exit code of a process that SIGKILL has ended."""
OURS_TO_KILL = (How.HANG, How.MEMORY, How.DEADLINE, How.CANCEL, How.FINISH, How.FENCED, How.SHUTDOWN)
"""Ends of an attempt in which it is the service that kills."""
QUEUE_BROKER = "queue_broker"
"""The dependency between services and workers; `broker` is that of the platform."""
MESSAGE_RESULTS = ("sent", "failed")
FINDERS = ("owner", "assistant")
WORKER_STATES = ("heard", "silent")
JOB_EVENTS = ("submitted", "completed", "failed", "cancelled", "restarted", "dead_lettered", "requeued")
_EVENT_NAMES: Mapping[Event | None, str] = {
    None: "submitted",
    Event.COMPLETE: "completed",
    Event.FAIL: "failed",
    Event.CANCEL: "cancelled",
    Event.RESTART: "restarted",
    Event.LOSE: "requeued",
    Event.RELEASE: "requeued",
}
STORE_CALLS = tuple(f"store.{name}" for name in vars(Store) if not name.startswith("_"))
OPERATIONS = frozenset({"request", *STORE_CALLS, *(f"stage.{stage}" for stage in STAGES)})

FAST = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
LONG = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)

_slow_log = logging.getLogger("timetable.slow")
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads


class Metrics:
    """The metrics of one application. What takes longer than `slow_seconds` is counted, and logged by who sees it."""

    def __init__(self, slow_seconds: float = 10.0) -> None:
        self.slow_seconds = slow_seconds
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._make_requests()
        self._make_jobs()
        self._make_attempts()
        self._make_children()
        self._make_service()
        self._make_machine()

    def _make_requests(self) -> None:
        """The first three names are the guide's."""
        self.errors = self._counter("app_errors_total", "Requests answered with an error", "service", "error_type")
        self.errors.labels(SERVICE, INTERNAL_ERROR)
        self.response_time = Histogram(
            "app_response_time_seconds", "Time until the answer was sent", ["endpoint"], registry=self.registry
        )
        self.connections = self._gauge("app_active_connections", "Requests and streams being served")
        self.requests = self._counter("timetable_requests_total", "Requests served", "endpoint", "method", "status")
        self.slow = self._counter(
            "timetable_slow_operations_total", "Operations over slow_seconds", "operation", of=OPERATIONS
        )

    def _make_jobs(self) -> None:
        self.jobs = self._gauge("timetable_jobs", "Jobs by status", "status")
        self.job_events = self._counter("timetable_job_events_total", "What happened to jobs", "event", of=JOB_EVENTS)
        self.rungs = self._counter(
            "timetable_rungs_total", "Completed jobs by the rung reached", "rung", of=get_args(RungId)
        )
        self.queue = self._gauge("timetable_queue_length", "Jobs that wait")
        self.queue_oldest = self._gauge("timetable_queue_oldest_seconds", "Waiting time of the oldest queued job")
        self.queue_stuck = self._counter("timetable_queue_stuck_total", "Dispatcher started anew as jobs did not start")
        self.helpers_stopped = self._counter(
            "timetable_helpers_stopped_total", "Processes of ours that did not go on", "helper", of=HELPERS
        )

    def _make_attempts(self) -> None:
        self.attempts = self._counter("timetable_attempts_total", "Ended attempts by cause", "how", of=How)
        self.kills = self._counter("timetable_kills_total", "Children that the service killed", "how", of=OURS_TO_KILL)
        self.verdicts = self._counter("timetable_verdicts_total", "Diagnoses of ended children", "verdict", of=Verdict)
        self.stalls = self._counter(
            "timetable_stalls_total", "Children that showed no sign of life", "verdict", of=Verdict
        )
        self.assisted = self._counter("timetable_assistants_total", "Ended help with jobs of others", "how", of=ENDS)
        self.shared = self._counter(
            "timetable_portfolio_results_total", "Results of several workers by finder", "finder", of=FINDERS
        )
        self.start_time = self._histogram("timetable_start_seconds", "From claim to running child", "after_loss")
        self.stage_time = self._histogram("timetable_stage_seconds", "Time spent in a stage", "stage", buckets=LONG)
        self.overshoot = self._histogram(
            "timetable_deadline_overshoot_seconds", "Time that jobs outlived their limit", buckets=FAST
        )
        self.missed = self._counter("timetable_deadlines_missed_total", "Jobs over their limit by more than allowed")

    def _make_children(self) -> None:
        self.children = self._gauge("timetable_children", "Solving child processes")
        self.children_memory = self._gauge("timetable_children_resident_bytes", "Resident memory of all children")
        self.child_memory = self._gauge("timetable_child_resident_bytes_max", "Resident memory of the largest child")
        self.beat_age = self._gauge("timetable_beat_age_seconds", "Longest silence of a child")
        self.cost = self._gauge("timetable_incumbent_cost", "Costs of the best timetables of running jobs, summed")
        self.incumbents = self._gauge("timetable_incumbents", "Running jobs that hold a timetable")
        self.slots = self._gauge("timetable_slots", "Places for children", "state")

    def _make_service(self) -> None:
        self.ready = self._gauge("timetable_ready", "1 while jobs are taken")
        self.supervisor_beat = self._gauge("timetable_supervisor_beat_age_seconds", "Silence of the supervisor")
        self.store_up = self._gauge("timetable_store_available", "1 while the job store answers")
        self.set_aside = self._gauge("timetable_store_rows_set_aside", "Damaged rows that are out of the way")
        self.store_time = self._histogram(
            "timetable_store_call_seconds", "Time of a call of the job store", "operation", of=STORE_CALLS
        )
        self.store_trouble = self._counter("timetable_store_troubles_total", "Times that the store began to refuse")
        self.loop_lag = self._histogram("timetable_loop_lag_seconds", "Lateness of the event loop")
        self.loop_lag_max = self._gauge("timetable_loop_lag_max_seconds", "Largest lateness within the last minute")
        self.background_errors = self._counter("timetable_background_errors_total", "Unforeseen errors off requests")
        self.recovery_time = self._gauge("timetable_recovery_seconds", "Duration of the recovery at the last start")
        self.recovered = self._gauge("timetable_recovered", "What the last start found of an earlier service", "what")
        self.backups = self._counter("timetable_backups_total", "Scheduled backups", "result", of=("ok", "failed"))
        self.deliveries_tried = self._counter(
            "timetable_deliveries_total", "Tries to tell that a job has ended", "channel", "result"
        )
        for channel in DEPENDENCIES:
            for outcome in OUTCOMES:
                self.deliveries_tried.labels(channel, outcome)
        self.deliveries = self._gauge("timetable_outbox", "Deliveries that wait or were given up", "channel", "state")
        self.dependencies = self._gauge(
            "timetable_dependency_up", "1 while it answers or was not asked yet", "dependency"
        )
        for name in (*DEPENDENCIES.values(), QUEUE_BROKER):
            self.dependencies.labels(name).set(1)
        self.messages = self._counter(
            "timetable_queue_messages_total", "Messages to workers", "result", of=MESSAGE_RESULTS
        )
        self.workers = self._gauge("timetable_workers", "Workers that share the store", "state")
        for state in WORKER_STATES:
            self.workers.labels(state)
        self.alerts = self._gauge("timetable_alerts_active", "Alerts that stand", "severity")
        self.alerts_sent = self._counter("timetable_alert_messages_total", "Alert messages", "sink", "result")

    def _make_machine(self) -> None:
        self.machine = self._gauge("timetable_machine_percent", "Use of the machine", "resource")
        self.disk_free = self._gauge("timetable_disk_free_bytes", "Room on the disk of the data folder")
        build = Info("timetable_build", "Versions", registry=self.registry)
        build.info(
            {"version": service_version(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        )

    def _counter(self, name: str, text: str, *labels: str, of: Iterable[str] = ()) -> Counter:
        counter = Counter(name, text, labels, registry=self.registry)
        for value in of:
            counter.labels(str(value))
        return counter

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = FAST, of: Iterable[str] = ()
    ) -> Histogram:
        histogram = Histogram(name, text, labels, buckets=buckets, registry=self.registry)
        for value in of:
            histogram.labels(value)
        return histogram

    # --- on a scrape ---

    def render(self, jobs: Mapping[str, int], sample: CapacitySample, alerts: Mapping[str, int]) -> bytes:
        """The text of `/metrics`. `jobs` counts the jobs of each status, `alerts` the alerts of each severity."""
        for status, count in jobs.items():
            self.jobs.labels(status).set(count)
        for severity, count in alerts.items():
            self.alerts.labels(severity).set(count)
        self._show(sample.signs)
        machine = sample.resources
        self.machine.labels("cpu").set(machine.cpu_percent)
        self.machine.labels("memory").set(machine.memory_percent)
        self.machine.labels("disk").set(machine.disk_percent)
        self.disk_free.set(machine.disk_free_bytes)
        self.loop_lag_max.set(sample.loop_lag_seconds)
        return generate_latest(self.registry)

    def show_platform(self, up: Mapping[str, bool], pending: Mapping[str, int], dead: Mapping[str, int]) -> None:
        """How the platform answers, and what it was not told, before a scrape."""
        for name, answers in up.items():
            self.dependencies.labels(name).set(answers)
        for state, counts in (("pending", pending), ("dead", dead)):
            for channel, count in counts.items():
                self.deliveries.labels(channel, state).set(count)

    def show_queue(self, view: Mapping[str, Any]) -> None:
        """What stands between jobs and workers, before a scrape; nothing, where the service solves itself."""
        if view["kind"] != "embedded":
            if view["broker"]["up"] is not None:
                self.dependencies.labels(QUEUE_BROKER).set(view["broker"]["up"])
            self.workers.labels("heard").set(view["workers"])
            self.workers.labels("silent").set(view["silent_workers"])

    def _show(self, signs: Signs) -> None:
        children = signs.children
        costs = [child.cost for child in children if child.cost is not None]
        self.children.set(len(children))
        self.children_memory.set(sum(child.resident_bytes for child in children))
        self.child_memory.set(max((child.resident_bytes for child in children), default=0))
        self.beat_age.set(max((child.beat_age_seconds or 0.0 for child in children), default=0.0))
        self.cost.set(sum(costs))
        self.incumbents.set(len(costs))
        self.slots.labels("in_use").set(len(children))
        self.slots.labels("quarantined").set(signs.quarantined_slots)
        self.slots.labels("free").set(max(0, signs.slots - len(children) - signs.quarantined_slots))
        self.queue.set(signs.queued)
        self.queue_oldest.set(signs.oldest_queued_seconds)
        self.ready.set(signs.ready)
        self.supervisor_beat.set(signs.supervisor_beat_age_seconds)
        self.store_up.set(signs.store_available)
        self.set_aside.set(signs.rows_set_aside)

    # --- as things happen ---

    def observe_happening(self, happening: Happening) -> None:
        """Counts what the supervisor tells."""
        match happening:
            case Moved(job=job, event=event):
                self._count_move(job, event)
            case Started(waited_seconds=seconds, after_loss=after_loss):
                self.start_time.labels(str(after_loss).lower()).observe(seconds)
            case StageLeft(stage=stage, seconds=seconds):
                self.stage_time.labels(_known(stage, _STAGES)).observe(seconds)
            case Stalled(stalled=True, verdict=verdict):
                self.stalls.labels(_known(verdict, _VERDICTS)).inc()
            case AttemptEnded():
                self._count_end(happening)
            case Assisted(how=how):
                self.assisted.labels(_known(how, _ENDS)).inc()
            case Shared(found_by=number):
                self.shared.labels(FINDERS[number != OWNER]).inc()
            case Slow(what=what):
                self.slow.labels(_known(what, OPERATIONS)).inc()
            case StoreCalled(what=what, seconds=seconds):
                self.store_time.labels(_known(what, OPERATIONS)).observe(seconds)
            case StoreTrouble(reason=str()):
                self.store_trouble.inc()
            case Recovered(jobs=jobs, orphans=orphans, seconds=seconds):
                self.recovery_time.set(seconds)
                self.recovered.labels("jobs").set(jobs)
                self.recovered.labels("orphans").set(orphans)
            case QueueStuck():
                self.queue_stuck.inc()
            case HelperStopped(helper=helper):
                self.helpers_stopped.labels(helper).inc()

    def _count_move(self, job: Job, event: Event | None) -> None:
        if event in _EVENT_NAMES:
            self.job_events.labels(_EVENT_NAMES[event]).inc()
        if event is Event.FAIL and job.dead_letter:
            self.job_events.labels("dead_lettered").inc()
        if event is Event.COMPLETE and job.rung is not None:
            self.rungs.labels(job.rung).inc()

    def _count_end(self, end: AttemptEnded) -> None:
        outcome = end.outcome
        self.attempts.labels(outcome.how.value).inc()
        if outcome.how in OURS_TO_KILL and outcome.exit_code == KILLED and not outcome.by_kernel:
            self.kills.labels(outcome.how.value).inc()
        if outcome.verdict is not None:
            self.verdicts.labels(_known(outcome.verdict, _VERDICTS)).inc()
        self.overshoot.observe(outcome.overshoot_seconds)
        if outcome.overshoot_seconds > longest_overshoot(end.job.options.time_limit_seconds):
            self.missed.inc()

    def observe_request(self, scope: Mapping[str, Any], status: int, seconds: float, *, stream: bool) -> None:
        """Counts one served request; a stream is never slow."""
        endpoint = getattr(scope.get("route"), "path", UNMATCHED)
        method = _known(scope["method"], _METHODS)
        self.requests.labels(endpoint, method, str(status)).inc()
        self.response_time.labels(endpoint).observe(seconds)
        if "error_code" in scope:
            self.errors.labels(SERVICE, scope["error_code"]).inc()
        if seconds > self.slow_seconds and not stream:
            self.slow.labels("request").inc()
            _slow_log.warning("%s %s took %.1f s", method, endpoint, seconds)


def _known(word: str, words: frozenset[Any]) -> str:
    """The word as a label value: what is not in the closed set is "other"."""
    return str(word) if word in words else OTHER
