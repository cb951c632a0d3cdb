"""Addresses of Redis and brokers: which database index, and how their certificates are checked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from app.settings import Settings
from app.system.addresses import REDIS_SCHEMES, tls_options

AS_THE_ADDRESS_SAYS = -1


def with_index(url: str, index: int) -> str:
    """The address of another database of the same Redis; AMQP has no such index, and keeps its address."""
    parts = urlsplit(url)
    if index == AS_THE_ADDRESS_SAYS or parts.scheme not in REDIS_SCHEMES:
        return url
    return urlunsplit(parts._replace(path=f"/{index}"))


def tls_of(url: str, settings: Settings) -> dict[str, Any]:
    """How the certificate of the platform's Redis or broker is checked; nothing without encryption."""
    return tls_options(url, settings.platform_tls_ca, checked=settings.platform_tls_verify == "required")
