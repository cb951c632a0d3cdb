"""Telling people: Apprise sends to a real server of ours; what it must not be used for is refused before the start."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from app.operations import notify, sinks
from app.operations.notify import ENCRYPTED, PLAIN, lines_of, opened, problem, tell
from app.operations.sinks import sinks_of
from app.operations.startup import examine, refusal
from app.settings import Settings
from tests.app.operations.test_sinks import STUCK, Hook, hook, running, until

__all__ = ["hook"]
# Apprise imports it where an e-mail could be encrypted.
IMGHDR = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
pytestmark = [pytest.mark.anyio, IMGHDR]
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
MESSAGE = {
    "alert": "queue_stuck",
    "state": "firing",
    "severity": "high",
    "sentence": "Jobs wait.",
    "advice": "Look at it.",
    "runbook": "README.md#x",
    "job": None,
    "since": "2026-11-30T00:00:00+00:00",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def json_of(address: str, path: str) -> str:
    return address.replace("http://", "json://") + path


async def test_people_get_a_title_a_sentence_and_what_to_do(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings(alert_urls=json_of(hook, "/200?+X-Token=hush"))
    async with running(settings) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: counts.get(("json", "sent")))
    ((path, told),) = Hook.got
    assert path.startswith("/200")
    assert told["title"] == "Timetable: queue_stuck is firing (high)" and told["type"] == "failure"
    assert len(told["message"].splitlines()) == 3
    assert "hush" not in caplog.text


@pytest.mark.parametrize("answer", ["503", "404", "moved"])
async def test_what_is_refused_is_not_delivered_and_no_redirect_is_followed(hook: str, answer: str) -> None:
    assert await tell(opened(json_of(hook, f"/{answer}")), MESSAGE) == "it did not take the message"
    assert [path for path, _ in Hook.got] == [f"/{answer}"]


async def test_a_receiver_that_hangs_is_left_after_a_while(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "SECONDS", 0.3)
    assert await tell(opened(json_of(hook, "/hang")), MESSAGE) is not None
    assert not Hook.hold.is_set()


async def test_one_address_that_fails_keeps_no_other_from_being_told(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "RETRY_WAITS", (0.0, 0.0))
    both = f"{json_of(hook, '/503')} {json_of(hook, '/200')}"
    async with running(Settings(alert_urls=both)) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: counts.get(("json", "sent")) and counts.get(("json", "failed")))


def test_a_message_of_a_job_names_it() -> None:
    assert "Job 7." in lines_of({**MESSAGE, "job": "7"})
    assert lines_of(MESSAGE)[:2] == ["Jobs wait.", "Look at it."]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (SLACK, None),
        ("mailtos://me:hush@mail.example.org?to=ops@example.org", None),
        ("mailto://127.0.0.1?to=ops@example.org&from=us@example.org", None),
        ("json://localhost:8080/x", None),
        ("slack://hush", "slack:// cannot be used as it is written"),
        ("json://hooks.example.org/hush", "json:// sends without encryption"),
        ("mailto://me:hush@mail.example.org", "mailto:// sends without encryption"),
        ("mailtos://me:hush@mail.example.org?mode=insecure", "mailtos:// sends without encryption"),
        ("jsons://hooks.example.org/hush?verify=no", "jsons:// does not check certificates"),
        ("json://h:port/hush", "json:// cannot be used as it is written"),
        *((f"{word}://hush", "expected an address that begins with") for word in ("syslog", "dbus", "windows", "file")),
        ("hush", "expected an address that begins with"),
    ],
)
def test_an_address_that_cannot_be_used_refuses_the_start_without_being_shown(
    tmp_path: Path, url: str, why: str | None
) -> None:
    settings = Settings(data_dir=tmp_path, alert_urls=url)
    refused = refusal([found for found in examine(settings, at_start=True) if found.check == "alerts"])
    assert len(list(sinks_of(settings))) == (why is None)
    if why is None:
        assert refused is None
    else:
        assert refused is not None and f"TIMETABLE_ALERT_URLS: {why}" in refused and "hush" not in refused


def test_every_service_on_the_list_is_one_of_apprise_and_encrypts_where_we_say_so() -> None:
    from apprise import Apprise

    known = json.loads(json.dumps(Apprise().details()["schemas"], default=str))
    encrypted = {word for service in known for word in service["secure_protocols"] or ()}
    plain = {word for service in known for word in service["protocols"] or ()}
    assert encrypted >= ENCRYPTED and plain >= PLAIN
    assert not {"syslog", "dbus", "windows", "macosx", "gnome", "glib"} & (ENCRYPTED | PLAIN)
    assert problem(SLACK) is None
