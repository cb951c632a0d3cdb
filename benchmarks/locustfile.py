"""
What a polite client does, for locust: submit a small job, follow it, fetch its timetables.

`python -m benchmarks smoke` runs it against a service of its own; with `locust -f benchmarks/locustfile.py --host URL`
it runs against any. The run fails on the first error, and when requests of one kind are slow.
"""

from __future__ import annotations

import uuid
from typing import Any

from locust import HttpUser, between, events, task

from benchmarks.faults.sources import body_of

SLOW_MS = {"POST /generate_variants": 300, "GET /progress": 150}
OTHERS_SLOW_MS = 500
"""Most that 95 of 100 requests of one kind may take, while every core solves."""
ENDED = frozenset({"completed", "failed", "cancelled"})
LOOKS = 40


class Client(HttpUser):
    """One planner at a time: a job, looks at it, and its result; now and then the pages of an operator."""

    wait_time = between(0.2, 1.0)

    @task(5)
    def make_a_timetable(self) -> None:
        job = f"smoke-{uuid.uuid4()}"
        body = {"job_id": job, "time_limit_seconds": 1, "num_variants": 1, **body_of("mini")}
        self.client.post("/generate_variants", json=body, name="POST /generate_variants")
        for _ in range(LOOKS):
            self.wait()
            with self.client.get(f"/progress/{job}", name="GET /progress", catch_response=True) as answer:
                status = answer.json().get("status") if answer.ok else None
                if status == "failed":
                    answer.failure(f"the job failed: {answer.text[:200]}")
            if status in ENDED:
                self.client.get(f"/variants/{job}", name="GET /variants")
                return

    @task
    def look_around(self) -> None:
        for path in ("/health/ready", "/metrics", "/jobs?limit=20", "/datasets"):
            self.client.get(path, name=f"GET {path.partition('?')[0]}")


@events.quitting.add_listener
def judge(environment: Any, **given: Any) -> None:
    """Exit code 1 when anything failed or was slow, with the reasons."""
    stats = environment.stats
    found = [f"{stats.total.num_failures} of {stats.total.num_requests} requests failed"] * bool(
        stats.total.num_failures
    )
    for entry in stats.entries.values():
        most, p95 = SLOW_MS.get(entry.name, OTHERS_SLOW_MS), entry.get_response_time_percentile(0.95)
        if p95 > most:
            found.append(f"{entry.name}: p95 {p95:.0f} ms, at most {most} ms")
    if stats.total.num_requests == 0:
        found.append("nothing was asked")
    for sentence in found:
        print(f"load smoke: {sentence}")
    environment.process_exit_code = 1 if found else 0
