"""
What the parts of a service report: counted as a metric, told as an alert where somebody should know, or both.

The observers hear what happens to jobs; the methods are for everything else. They are handed to the parts, which need
know neither metrics nor alerts.
"""

from __future__ import annotations

import logging

from app.operations.audit import note_job
from app.operations.metrics import Metrics
from app.operations.observers import Observers, journal
from app.operations.sinks import Alerts
from app.settings import Settings
from app.store import StoreError
from app.store.manifests import Manifest

_log = logging.getLogger("timetable.service")


class Reports:
    """Metrics, alerts and observers of one service."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics(settings.slow_seconds)
        self.alerts = Alerts(settings, self._alert_sent)
        self.observers = Observers(
            self.metrics.observe_happening,
            journal,
            note_job,
            self.alerts.observe,
            slow_seconds=settings.slow_seconds,
        )

    def _alert_sent(self, sink: str, result: str) -> None:
        self.metrics.alerts_sent.labels(sink, result).inc()

    def failed_unforeseen(self) -> None:
        """A request was answered by 500."""
        self.alerts.occurred("internal_error")

    def failed_in_background(self) -> None:
        """An error that nobody has caught, outside any request."""
        self.metrics.background_errors.inc()
        self.failed_unforeseen()

    def told_platform(self, channel: str, outcome: str) -> None:
        """A delivery was tried."""
        self.metrics.deliveries_tried.labels(channel, outcome).inc()
        if outcome == "dead":
            self.alerts.occurred("delivery_dead_letter")

    def platform_reachable(self, dependency: str, up: bool) -> None:
        """A part of the platform is lost, or back."""
        if not up:
            self.alerts.occurred("platform_unreachable")

    def told_workers(self, outcome: str) -> None:
        """A message to the workers was sent, or could not be."""
        self.metrics.messages.labels(outcome).inc()

    def broker_lost(self) -> None:
        """The broker has begun not to answer."""
        self.alerts.occurred("broker_unreachable")

    def backup_ended(self, outcome: Manifest | StoreError) -> None:
        """A scheduled backup is made, or is not."""
        self.metrics.backups.labels("ok" if isinstance(outcome, Manifest) else "failed").inc()
        if isinstance(outcome, Manifest):
            _log.info("backup %s is made and verified", outcome.file)
        else:
            _log.error("the scheduled backup failed: %s", outcome)
            self.alerts.occurred("backup_failed")
