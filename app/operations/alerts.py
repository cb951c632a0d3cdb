"""
Alerts: what people have to know, how urgent it is, and what they can do. One table, `ALERTS`.

An alert comes from a happening (it occurs, and is over when it has not occurred again for a while) or from the samples
of `app.operations.capacity` (it holds, and is over when it does not hold any more). `AlertBook` says what has to be
told, the same thing once per hold period, with a count; `app.operations.sinks` carries it to people. Nobody is needed:
what an alert is about heals by itself or waits safely, and one that nobody has dealt with in time is told once more as
escalated.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from app import MEGABYTE, SERVICE, service_version
from app.domain.jobs import Event
from app.domain.outcomes import How
from app.domain.telemetry import AttemptEnded, Happening, HelperStopped, Moved, QueueStuck, Recovered, Slow
from app.operations.capacity import CapacitySample, Hold
from app.operations.health import SILENT_SECONDS
from app.processes.watch import longest_overshoot
from app.settings import Settings

STORE_HOLD_SECONDS = 5.0
CHILD_SILENT_SECONDS = 60.0
"""A silent child is ended after ten seconds; one that is silent for so long is not supervised."""
LOOP_LAG_SECONDS = 1.0
RECENT_SECONDS = 600.0
MANY = 5
UNCLEAN = frozenset({How.CRASH, How.HANG, How.MEMORY, How.ERROR, How.FORKSERVER_LOST})


class Severity(StrEnum):
    """How soon somebody should look; the values stand in messages and metrics."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Response(NamedTuple):
    """Within what time somebody shall look, and when others are to be told; seconds, 0 = at once."""

    respond_within: float
    escalate_after: float


MINUTE, HOUR = 60.0, 3600.0
RESPONSES: Mapping[Severity, Response] = {
    Severity.CRITICAL: Response(15 * MINUTE, 0.0),
    Severity.HIGH: Response(1 * HOUR, 2 * HOUR),
    Severity.MEDIUM: Response(4 * HOUR, 8 * HOUR),
    Severity.LOW: Response(24 * HOUR, 48 * HOUR),
}


class Alert(NamedTuple):
    """
    One kind of alert.

    Either `happens` picks the happenings that raise it, of which it takes `least` within `RECENT_SECONDS`; or `holds`
    says whether a sample does, for `hold_seconds` (None: as the settings say); or neither, and it is raised by name
    (`app.operations.sinks.Alerts.occurred`).
    """

    name: str
    severity: Severity
    sentence: str
    advice: str
    happens: Callable[[Happening], bool] | None = None
    holds: Callable[[CapacitySample, Settings], bool] | None = None
    hold_seconds: float | None = 0.0
    least: int = 1

    @property
    def runbook(self) -> str:
        """Where the documents say what to do."""
        return f"app/docs/operations.md#alert-{self.name.replace('_', '-')}"


def _dead_lettered(happening: Happening) -> bool:
    return isinstance(happening, Moved) and happening.event is Event.FAIL and happening.job.dead_letter


def _missed(happening: Happening) -> bool:
    if not isinstance(happening, AttemptEnded):
        return False
    return happening.outcome.overshoot_seconds > longest_overshoot(happening.job.options.time_limit_seconds)


def _unclean(happening: Happening) -> bool:
    return isinstance(happening, AttemptEnded) and happening.outcome.how in UNCLEAN


def _out_of_memory(happening: Happening) -> bool:
    return isinstance(happening, AttemptEnded) and happening.outcome.how is How.MEMORY


def _service_was_killed(happening: Happening) -> bool:
    return isinstance(happening, Recovered) and happening.jobs + happening.orphans > 0


def _child_silent(sample: CapacitySample, settings: Settings) -> bool:
    return any((child.beat_age_seconds or 0.0) > CHILD_SILENT_SECONDS for child in sample.signs.children)


def _cpu_short(sample: CapacitySample, settings: Settings) -> bool:
    """A solver uses what there is. Load is worth a word only when jobs wait for it, or when it is not ours at all."""
    explained = sample.signs.children and not sample.signs.queued
    return sample.resources.cpu_percent > settings.alarm_cpu_percent and not explained


ALERTS: tuple[Alert, ...] = (
    Alert(
        "supervisor_silent",
        Severity.CRITICAL,
        "The supervisor shows no sign of life; jobs are not watched.",
        "The liveness probe fails, so an init system restarts the service by itself; else restart it. No job is lost.",
        holds=lambda s, _: s.signs.supervisor_beat_age_seconds > SILENT_SECONDS,
    ),
    Alert(
        "store_unavailable",
        Severity.CRITICAL,
        "The job store does not answer; no new jobs are taken, running ones go on.",
        "Look for what holds the data folder: its disk, its rights, another process. Results are kept meanwhile.",
        holds=lambda s, _: not s.signs.store_available,
        hold_seconds=STORE_HOLD_SECONDS,
    ),
    Alert(
        "disk_full",
        Severity.CRITICAL,
        "There is too little room on the disk of the job store; no new jobs are taken, running ones go on.",
        "Make room on the disk of the data folder, or shorten TIMETABLE_KEEP_DAYS. Jobs are taken again by themselves.",
        holds=lambda s, settings: s.resources.disk_free_bytes < settings.min_free_mb * MEGABYTE,
    ),
    Alert(
        "dead_letter",
        Severity.HIGH,
        "A job has ended its processes uncleanly too often and was put aside.",
        "Read its attempts under /jobs/{job_id}; restart it with POST /restart/{job_id} when the cause is gone.",
        happens=_dead_lettered,
    ),
    Alert(
        "queue_stuck",
        Severity.HIGH,
        "Jobs waited although a slot was free; the dispatcher was started anew.",
        "When it comes again, keep the log and restart the service. No job is lost.",
        happens=lambda h: isinstance(h, QueueStuck),
    ),
    Alert(
        "unclean_ends",
        Severity.HIGH,
        "Solving processes end uncleanly again and again.",
        "See in the log whether it is one job, and which cause; the machine may lack memory.",
        happens=_unclean,
        least=MANY,
    ),
    Alert(
        "slot_quarantined",
        Severity.HIGH,
        "A process cannot be killed; its slot is out of use until it ends.",
        "It waits for a device, most likely the disk. The slot comes back by itself; else restart the machine.",
        holds=lambda s, _: s.signs.quarantined_slots > 0,
    ),
    Alert(
        "child_silent",
        Severity.HIGH,
        "A solving process is silent for much longer than supervision allows.",
        "Keep the log, and restart the service. No job is lost.",
        holds=_child_silent,
    ),
    Alert(
        "delivery_dead_letter",
        Severity.HIGH,
        "Somebody could not be told how a job has ended, and will not be told any more.",
        "Read `deliveries` under /jobs/{job_id}; when the cause is gone, POST /jobs/{job_id}/deliver.",
    ),
    Alert(
        "backup_failed",
        Severity.HIGH,
        "A scheduled backup has failed; there is none of this time.",
        "See the reason in the log; `timetable check` lists the backups that there are. Then run `timetable backup`.",
    ),
    Alert(
        "rows_set_aside",
        Severity.HIGH,
        "Rows of the job store were not what was written; they are out of the way, and the rest is served.",
        "`timetable check` names them. Hand in the jobs again that are missing; find out what damages the disk.",
        holds=lambda s, _: s.signs.rows_set_aside > 0,
    ),
    Alert(
        "disk_high",
        Severity.HIGH,
        "The disk of the job store is nearly full.",
        "Make room on the disk of the data folder before new jobs are refused.",
        holds=lambda s, settings: s.resources.disk_percent > settings.alarm_disk_percent,
        hold_seconds=None,
    ),
    Alert(
        "internal_error",
        Severity.MEDIUM,
        "Something unforeseen went wrong in the service itself.",
        "Find the correlation id of the answer, or the traceback, in the log, and report it. The service goes on.",
    ),
    Alert(
        "platform_unreachable",
        Severity.MEDIUM,
        "Something of the platform does not answer: its database, Redis, broker or an address.",
        "See `platform` in /health. Jobs go on, and what could not be told is told when it answers again.",
    ),
    Alert(
        "broker_unreachable",
        Severity.HIGH,
        "The broker between services and workers does not answer; jobs are taken and wait.",
        "See `queue` in /health, and the broker itself. What waits is sent when it answers again.",
    ),
    Alert(
        "worker_lost",
        Severity.HIGH,
        "Somebody who solves jobs was not heard of any more, and had not said that it goes.",
        "Its jobs are taken over. The log names it, and so does GET /workers for a minute; start it again.",
        holds=lambda s, _: s.signs.lost_workers > 0,
    ),
    Alert(
        "helper_stopped",
        Severity.MEDIUM,
        "A process that works for the service was stopped from outside; it was told to go on, or replaced.",
        "Nothing is lost. Find out who stops processes here: a debugger, a person, a tool that freezes containers.",
        happens=lambda h: isinstance(h, HelperStopped),
    ),
    Alert(
        "service_was_killed",
        Severity.MEDIUM,
        "The service found jobs or processes that an earlier one had left behind; it had not ended by itself.",
        "Find out who killed it (memory, power, a person). Its jobs were queued again.",
        happens=_service_was_killed,
    ),
    Alert(
        "deadline_missed",
        Severity.MEDIUM,
        "A job outlived its time limit by more than is allowed.",
        "The machine is overloaded, or was asleep; lower TIMETABLE_SLOTS when it comes again.",
        happens=_missed,
    ),
    Alert(
        "queue_old",
        Severity.MEDIUM,
        "The oldest queued job has waited for a long time.",
        "There are more jobs than this machine solves: give it more slots and cores, or jobs less time.",
        holds=lambda s, settings: s.signs.oldest_queued_seconds > settings.alarm_queue_seconds,
    ),
    Alert(
        "loop_lag",
        Severity.MEDIUM,
        "The service answers late: something holds its event loop.",
        "See the log for slow operations at that time; the machine may be short of memory or processors.",
        holds=lambda s, _: s.loop_lag_seconds > LOOP_LAG_SECONDS,
    ),
    Alert(
        "memory_high",
        Severity.MEDIUM,
        "The memory of the machine is nearly used up.",
        "Lower TIMETABLE_SLOTS or TIMETABLE_MEMORY_LIMIT_MB, or find out what else runs here.",
        holds=lambda s, settings: s.resources.memory_percent > settings.alarm_memory_percent,
        hold_seconds=None,
    ),
    Alert(
        "memory_limit",
        Severity.LOW,
        "A job needed more memory than a child may use; it is tried again with less.",
        "Raise TIMETABLE_MEMORY_LIMIT_MB when such jobs are to be solved in full.",
        happens=_out_of_memory,
    ),
    Alert(
        "slow_operation",
        Severity.LOW,
        "An operation took unusually long.",
        "The log names it. A slow disk is the usual cause.",
        happens=lambda h: isinstance(h, Slow),
    ),
    Alert(
        "cpu_high",
        Severity.LOW,
        "The processors are busy while jobs wait, or with something that is not ours.",
        "Nothing is wrong; think of more cores when jobs wait for long.",
        holds=_cpu_short,
        hold_seconds=None,
    ),
)
OF_THE_WHOLE = frozenset({"queue_old", "worker_lost"})
"""What every worker sees that shares the store as every service does; services tell of it."""
BY_NAME: Mapping[str, Alert] = {alert.name: alert for alert in ALERTS}


@dataclass(kw_only=True)
class ActiveAlert:
    """
    An alert that has been raised. Instants in monotonic seconds, `since` on the wall clock.

    `count` is how often it has occurred since it was told last.
    """

    alert: Alert
    since: float
    began: float
    seen_at: float
    told_at: float
    count: int = 1
    job: str | None = None
    escalated: bool = False


Message = dict[str, Any]


def message_of(standing: ActiveAlert, state: str) -> Message:
    """What is told: JSON-safe, the same for every sink. `state` is "firing", "escalated" or "resolved"."""
    alert, response = standing.alert, RESPONSES[standing.alert.severity]
    return {
        "alert": alert.name,
        "state": state,
        "severity": alert.severity.value,
        "sentence": alert.sentence,
        "advice": alert.advice,
        "runbook": alert.runbook,
        "count": standing.count,
        "job": standing.job,
        "since": datetime.fromtimestamp(standing.since, UTC).isoformat(),
        "respond_within_seconds": response.respond_within,
        "escalate_after_seconds": response.escalate_after,
        "service": SERVICE,
        "version": service_version(),
    }


@dataclass(kw_only=True)
class AlertBook:
    """
    Which alerts stand. Every method returns the messages that are due; instants are monotonic seconds.

    Those in `left_out` are not raised here.
    """

    settings: Settings
    left_out: frozenset[str] = frozenset()
    wall: Callable[[], float] = time.time
    standing: dict[str, ActiveAlert] = field(default_factory=dict)
    _holds: dict[str, Hold] = field(default_factory=dict)
    _recent: dict[str, deque[float]] = field(default_factory=dict)

    @property
    def _raised_here(self) -> list[Alert]:
        return [alert for alert in ALERTS if alert.name not in self.left_out]

    def hear(self, happening: Happening, now: float) -> list[Message]:
        """Something has happened."""
        job = getattr(happening, "job", None)
        job_id = job.id if job is not None else getattr(happening, "job_id", None)
        found = [alert for alert in self._raised_here if alert.happens is not None and alert.happens(happening)]
        return [message for alert in found for message in self.occurred(alert, now, job_id)]

    def occurred(self, alert: Alert, now: float, job: str | None = None) -> list[Message]:
        """An alert has been raised by an event."""
        recent = self._recent.setdefault(alert.name, deque(maxlen=alert.least))
        recent.append(now)
        if len(recent) < alert.least or now - recent[0] > RECENT_SECONDS:
            return []
        known = self.standing.get(alert.name)
        if known is None:
            return [self._raise(alert, now, job, count=alert.least)]
        known.seen_at, known.job = now, job or known.job
        known.count += 1
        return []

    def see(self, sample: CapacitySample) -> list[Message]:
        """A look at machine and service; also what is due because time has passed."""
        found: list[Message] = []
        for alert in self._raised_here:
            if alert.holds is None:
                continue
            raised = self._hold(alert).see(sample.at, alert.holds(sample, self.settings))
            if raised and alert.name not in self.standing:
                found.append(self._raise(alert, sample.at))
            elif alert.name in self.standing and not raised:
                found.append(message_of(self.standing.pop(alert.name), "resolved"))
        return [*found, *self._due(sample.at)]

    def _hold(self, alert: Alert) -> Hold:
        usual = self.settings.alarm_hold_seconds
        up = usual if alert.hold_seconds is None else alert.hold_seconds
        return self._holds.setdefault(alert.name, Hold(up, usual))

    def _raise(self, alert: Alert, now: float, job: str | None = None, *, count: int = 1) -> Message:
        new = ActiveAlert(alert=alert, since=self.wall(), began=now, seen_at=now, told_at=now, job=job, count=count)
        self.standing[alert.name] = new
        message = message_of(new, "firing")
        new.count = 0
        return message

    def _due(self, now: float) -> Iterable[Message]:
        """Repetitions with their count, ends of what no longer occurs, and what nobody has dealt with."""
        hold = self.settings.alert_hold_seconds
        found: list[Message] = []
        for standing in list(self.standing.values()):
            alert, response = standing.alert, RESPONSES[standing.alert.severity]
            # Not sooner after the last word either: what ends and occurs anew would be told twice within one period.
            if alert.holds is None and now - max(standing.seen_at, standing.told_at) >= hold:
                found.append(message_of(self.standing.pop(alert.name), "resolved"))
            elif not standing.escalated and now - standing.began >= max(response):
                standing.escalated = True
                found.append(self._tell_again(standing, now, "escalated"))
            elif standing.count and now - standing.told_at >= hold:
                found.append(self._tell_again(standing, now, "firing"))
        return found

    def _tell_again(self, standing: ActiveAlert, now: float, state: str) -> Message:
        message = message_of(standing, state)
        standing.told_at, standing.count = now, 0
        return message

    def by_severity(self) -> Mapping[str, int]:
        """How many alerts of each severity stand."""
        counts = Counter(standing.alert.severity for standing in self.standing.values())
        return {severity.value: counts[severity] for severity in Severity}

    def view(self) -> Sequence[Mapping[str, object]]:
        """What stands, most urgent first, for `/health`."""
        order = list(Severity)
        standing = sorted(self.standing.values(), key=lambda s: (order.index(s.alert.severity), s.since))
        return [
            {
                "alert": s.alert.name,
                "severity": s.alert.severity.value,
                "sentence": s.alert.sentence,
                "advice": s.alert.advice,
                "since": datetime.fromtimestamp(s.since, UTC).isoformat(),
            }
            for s in standing
        ]
