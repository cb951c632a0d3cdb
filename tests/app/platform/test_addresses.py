"""Addresses of brokers and of Redis, and what is checked of whoever answers there."""

from __future__ import annotations

import ssl

import pytest

from app.platform.addresses import tls_of, with_index
from app.platform.breaker import Breaker
from app.platform.celery_task import CeleryTask
from app.settings import Settings


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
