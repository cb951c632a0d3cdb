"""Addresses of Redis and brokers: which database index, and how their certificates are checked."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from app.settings import Settings

REDIS_SCHEMES = ("redis", "rediss")
TLS_SCHEMES = ("rediss", "amqps")
AS_THE_ADDRESS_SAYS = -1


def with_index(url: str, index: int) -> str:
    """The address of another database of the same Redis; AMQP has no such index, and keeps its address."""
    parts = urlsplit(url)
    if index == AS_THE_ADDRESS_SAYS or parts.scheme not in REDIS_SCHEMES:
        return url
    return urlunsplit(parts._replace(path=f"/{index}"))


def uses_tls(url: str) -> bool:
    return urlsplit(url).scheme in TLS_SCHEMES


def tls_options(settings: Settings) -> dict[str, Any]:
    """For clients that take `ssl_...` options: Redis, and Celery with either broker."""
    checked = settings.platform_tls_verify == "required"
    options: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED if checked else ssl.CERT_NONE}
    if settings.platform_tls_ca:
        options["ssl_ca_certs"] = settings.platform_tls_ca
    return options
