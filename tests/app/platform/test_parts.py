"""The small parts: breaker, pauses, keys, addresses, and which settings need which."""

from __future__ import annotations

import base64
import ssl
import time
from pathlib import Path

import httpx
import pytest

from app.domain.jobs import Status
from app.main import create_app
from app.platform import breaker
from app.platform.addresses import tls_of, with_index
from app.platform.breaker import Breaker
from app.platform.celery_task import CeleryTask
from app.platform.delivery import pause_before
from app.platform.webhook import signature
from app.settings import Settings, SettingsError
from app.store.notifications import carrier_of, channels_of
from app.system.addresses import keys_of
from tests.app.platform.conftest import KEY, OTHER_KEY

SQL = {"platform_update": "yes", "platform_database_url": "postgresql://x/y"}


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_the_first_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, changes = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    looked = Breaker("redis", lambda name, up: changes.append((name, up)))
    assert looked.known_up is None, "nobody knows before the first try"
    looked.failed("gone")
    assert looked.up and looked.seconds_closed == 0
    assert looked.known_up is False, "what was never reached is not called up"
    pauses = []
    for _ in range(8):
        looked.failed("gone")
        pauses.append(looked.seconds_closed)
        now[0] += looked.seconds_closed
        assert looked.seconds_closed == 0, "one try is due"
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10, 10] and pauses[-1] == breaker.LONGEST_PAUSE_SECONDS
    assert (looked.up, looked.error) == (False, "gone")
    looked.succeeded()
    assert (looked.up, looked.known_up, looked.error, looked.seconds_closed) == (True, True, "", 0)
    looked.failed("a hiccup")
    assert looked.known_up
    assert changes == [("redis", False), ("redis", True)]


def test_pauses_double_with_jitter_up_to_a_bound() -> None:
    settings = Settings(delivery_first_wait_seconds=1, delivery_longest_wait_seconds=60)
    for tries, longest in ((1, 1), (2, 2), (5, 16), (7, 60), (10_000, 60)):
        drawn = {pause_before(tries, settings) for _ in range(50)}
        assert longest / 2 <= min(drawn) <= max(drawn) <= longest and len(drawn) > 1


def test_the_signature_is_that_of_the_standards_example() -> None:
    """Key, id, instant, body and signature as the documentation of Standard Webhooks has them."""
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_keys_are_read_and_never_quoted() -> None:
    assert len(keys_of(f"{KEY}, {OTHER_KEY}\n{KEY}")) == 3 and keys_of(" ") == ()
    short = base64.b64encode(b"x" * 23).decode()
    for bad in ("whsec_hush!", f"whsec_{short}", "whsec_" + base64.b64encode(b"x" * 65).decode()):
        with pytest.raises(ValueError) as refused:
            keys_of(bad)
        assert bad.removeprefix("whsec_") not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "index", "found"),
    [
        ("redis://:pass@h:6379/0", 3, "redis://:pass@h:6379/3"),
        ("redis://h", 1, "redis://h/1"),
        ("rediss://h/2?ssl_cert_reqs=none", 3, "rediss://h/3?ssl_cert_reqs=none"),
        ("redis://h/5", -1, "redis://h/5"),
        ("amqp://h//vhost", 3, "amqp://h//vhost"),
    ],
)
def test_the_index_of_the_settings_wins_over_that_of_the_address(url: str, index: int, found: str) -> None:
    assert with_index(url, index) == found


def test_certificates_are_checked_unless_the_settings_say_otherwise() -> None:
    assert tls_of("redis://h/0", Settings()) == {}
    assert tls_of("rediss://h/0", Settings()) == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    lax = Settings(platform_tls_verify="none", platform_tls_ca="/ca.pem")
    assert tls_of("rediss://h/0", lax) == {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_ca_certs": "/ca.pem"}
    for url, prefix in (("rediss://h/0", "ssl_"), ("amqps://h//", "")):
        settings = Settings(platform_celery="inline", platform_broker_url=url, platform_tls_ca="/ca.pem")
        made = CeleryTask(settings, None, Breaker("broker")).app.conf.broker_use_ssl  # type: ignore[arg-type]
        assert made == {f"{prefix}cert_reqs": ssl.CERT_REQUIRED, f"{prefix}ca_certs": "/ca.pem"}


def test_each_switch_adds_its_channel_and_the_ends_it_is_told_of() -> None:
    assert channels_of(Settings()) == {} and carrier_of(Settings()) is None
    redis, callback = {"platform_redis_url": "redis://h"}, {"platform_callback_url": "http://h/"}
    hook = {"webhook_url": "https://h/", "webhook_secrets": KEY}
    every, done = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED}), frozenset({Status.COMPLETED})
    old = Settings(**redis, **callback, **hook, platform_celery="inline")  # type: ignore[arg-type]
    assert channels_of(old) == {
        "celery": every,
        "callback": every - {Status.CANCELLED},
        "webhook": every,
        "redis": every,
    }
    assert carrier_of(old) == "celery"
    new = Settings(**redis, **SQL, platform_celery="committed")  # type: ignore[arg-type]
    assert channels_of(new) == {"sql": every, "celery": done, "redis": every}
    assert channels_of(Settings(**SQL, platform_celery="inline", platform_broker_url="redis://h")) == {  # type: ignore[arg-type]
        "sql": every,
        "celery": every - {Status.CANCELLED},
    }
    assert channels_of(Settings(**callback)) == {"callback": every}, "nobody else could tell"  # type: ignore[arg-type]
    assert carrier_of(new) == "sql" and carrier_of(Settings(**callback)) == "callback"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"platform_source": "yes"}, "TIMETABLE_PLATFORM_SOURCE needs TIMETABLE_PLATFORM_DATABASE_URL"),
        ({"platform_update": "yes"}, "TIMETABLE_PLATFORM_UPDATE needs TIMETABLE_PLATFORM_DATABASE_URL"),
        ({"platform_celery": "inline"}, "TIMETABLE_PLATFORM_CELERY needs TIMETABLE_PLATFORM_BROKER_URL"),
        (
            {"platform_celery": "committed", "platform_broker_url": "redis://h"},
            "TIMETABLE_PLATFORM_CELERY needs TIMETABLE_PLATFORM_UPDATE",
        ),
        ({"webhook_url": "https://h/"}, "TIMETABLE_WEBHOOK_URL needs TIMETABLE_WEBHOOK_SECRETS"),
    ],
)
def test_a_setting_that_is_of_no_use_alone_is_refused(given: dict[str, str], needed: str) -> None:
    with pytest.raises(SettingsError, match=needed):
        Settings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"webhook_url": "http://hush/", "webhook_secrets": KEY}, "TIMETABLE_WEBHOOK_URL: it is no https address"),
        ({"webhook_url": "https://h/", "webhook_secrets": "hush!"}, "TIMETABLE_WEBHOOK_SECRETS: a key is no base64"),
        ({"platform_callback_url": "gopher://hush/"}, "TIMETABLE_PLATFORM_CALLBACK_URL: it is no http"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start_and_not_quoted(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        Settings(**given)  # type: ignore[arg-type]
    assert "hush" not in str(refused.value)


@pytest.mark.anyio
async def test_health_claims_nothing_of_what_was_never_asked(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    app = create_app(Settings(data_dir=tmp_path, platform_update="yes", platform_database_url=nowhere))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        health = (await client.get("/health")).json()
        assert health["platform"]["dependencies"]["database"] == {"up": None, "error": None}
        assert health["redis"] == "disconnected"
