"""Which ends of jobs are told on which channels."""

from __future__ import annotations

from app.domain.jobs import Status
from app.settings import Settings
from app.store.notifications import carrier_of, channels_of
from tests.app.platform.conftest import KEY

SQL = {"platform_update": "yes", "platform_database_url": "postgresql://x/y"}


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
