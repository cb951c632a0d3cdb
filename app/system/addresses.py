"""
What an address, a key or a path in a setting must look like to be of use; looked at before anything is started.

Each check says in a few words what is wrong, and never quotes: addresses may hold passwords.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Check: TypeAlias = Callable[[str], str | None]

REDIS_SCHEMES = ("redis", "rediss")
BROKER_SCHEMES = (*REDIS_SCHEMES, "amqp", "amqps")
TLS_SCHEMES = ("rediss", "amqps")
LEAST_KEY_BYTES, MOST_KEY_BYTES = 24, 64
KEY_PREFIX = "whsec_"
MOST_QUEUE_BYTES = 255
"""AMQP has no longer names."""


def url_problem(url: str, *, private: bool) -> str | None:
    """Why nothing may be sent there, None when something may: https, or http where `private` addresses are allowed."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "it is no address"
    if parts.scheme not in (("https", "http") if private else ("https",)) or not host:
        return "it is no https address" if not private else "it is no http or https address"
    if parts.username is not None or parts.password is not None:
        return "it holds a user name or a password"
    return None if _can_be_sent(url) else "it holds blanks, or letters that no address has"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or as `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def server_problem(url: str, schemes: tuple[str, ...]) -> str | None:
    """Why an address of Redis or of a broker is none, None when it is one."""
    wanted = f"expected an address that begins with {', '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        parts = urlsplit(url)
        _, port = parts.hostname, parts.port
    except ValueError:
        return "its host or port cannot be read"
    if parts.scheme not in schemes or not url.startswith(f"{parts.scheme}://"):
        return wanted
    if port == 0 or not _can_be_sent(url):
        return "its host or port cannot be read"
    index = parts.path.strip("/")
    if parts.scheme in REDIS_SCHEMES and index and not (index.isascii() and index.isdigit()):
        return "behind the host of a Redis comes the number of a database"
    return None


def tls_options(url: str, ca_file: str, *, checked: bool = True) -> dict[str, Any]:
    """
    What the clients of Redis, and Celery with either broker, are told about certificates; nothing without encryption.

    `ca_file` has the certificates to check with, empty for the system's. AMQP wants these options without the prefix
    that Redis has.
    """
    scheme = urlsplit(url).scheme
    if scheme not in TLS_SCHEMES:
        return {}
    prefix = "ssl_" if scheme in REDIS_SCHEMES else ""
    options: dict[str, Any] = {f"{prefix}cert_reqs": ssl.CERT_REQUIRED if checked else ssl.CERT_NONE}
    return {**options, f"{prefix}ca_certs": ca_file} if ca_file else options


def database_problem(address: str) -> str | None:
    """Why an address of PostgreSQL is none, in either of libpq's spellings; None when it is one."""
    import psycopg  # takes a tenth of a second, for those who use it
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(address)
    except psycopg.Error:
        return "it is no database address; write it as postgresql://user@host:port/name"
    ports = str(given.get("port") or 5432).split(",")
    if not all(port.isdigit() and 0 < int(port) < 65536 for port in ports if port):
        return "its port is no number from 1 to 65535"
    return None


def keys_of(text: str) -> tuple[bytes, ...]:
    """
    The signing keys in a setting, the one in use first. Raises ValueError, which never quotes them.

    A key is `whsec_` and 24 to 64 bytes in base64.
    """
    return tuple(_key(word) for word in text.replace(",", " ").split())


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a key is no base64") from None
    if not LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES:
        raise ValueError(f"a key has {len(key)} bytes; expected {LEAST_KEY_BYTES} to {MOST_KEY_BYTES}")
    return key


def keys_problem(text: str) -> str | None:
    """What is wrong with keys of a webhook, None when nothing is."""
    try:
        keys_of(text)
    except ValueError as error:
        return str(error)
    return None


def path_problem(text: str) -> str | None:
    """Why a path can be none at all; whether it can be used is looked at where it is."""
    try:
        Path(text).expanduser()
    except RuntimeError:
        return "there is no user of this name, whose folder ~ would be"
    return None


def queue_problem(name: str) -> str | None:
    """What is wrong with the name of a queue, None when nothing is."""
    long = len(name.encode(errors="replace")) > MOST_QUEUE_BYTES
    return f"a name of a queue has at most {MOST_QUEUE_BYTES} bytes" if long else None


def text_problem(text: str) -> str | None:
    """Line ends separate the entries of a list; other control characters, and broken UTF-8, mean nothing anywhere."""
    return None if all(c.isprintable() or c in " \t\r\n" for c in text) else "it holds characters that are no text"


def _can_be_sent(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


CHECKS: Mapping[str, Check] = {
    "database_url": database_problem,
    "platform_database_url": database_problem,
    "broker_url": lambda url: server_problem(url, BROKER_SCHEMES),
    "platform_broker_url": lambda url: server_problem(url, BROKER_SCHEMES),
    "platform_redis_url": lambda url: server_problem(url, REDIS_SCHEMES),
    "platform_callback_url": lambda url: url_problem(url, private=True),
    "webhook_secrets": keys_problem,
    "broker_queue": queue_problem,
    "platform_celery_queue": queue_problem,
}
"""Setting -> what it must pass where it is set; paths and texts are checked by their kind."""
