"""
Tells people of alerts by whatever they read: chat, e-mail, telephone. Apprise knows how; each address is one of its.

An address holds a token or a password: it is never logged, and nothing that Apprise says of it either. Only services on
the list are used: others would show windows on this machine, write to its log or to buses of devices, or send without
encryption. Where one sends to a host of ours, a plain one may be used on this machine alone.

Apprise is loaded only where there is such an address: with its hundred services it takes a second and 25 MB.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio.to_thread

from app.operations.alerts import Message, Severity
from app.system.addresses import is_loopback

if TYPE_CHECKING:
    from apprise import Apprise

SECONDS = 10.0
CHAT = {"discord", "gchat", "matrixs", "mmosts", "rockets", "slack", "tgram", "webex", "workflows", "wxteams", "zulip"}
MAIL = {"mailgun", "mailtos", "o365", "postmark", "sendgrid", "ses", "sparkpost"}
TELEPHONE = {"clicksend", "gotifys", "ntfys", "pover", "signals", "sinch", "sns", "threema", "twilio", "vonage"}
ON_CALL = {"betterstack", "goalerts", "ilert", "incidentio", "jira", "opsgenie", "pagerduty", "pagertree", "signl4"}
ENCRYPTED = frozenset(CHAT | MAIL | TELEPHONE | ON_CALL | {"jsons"})
PLAIN = frozenset({"goalert", "gotify", "json", "mailto", "matrix", "mmost", "ntfy", "rocket", "signal"})
_KINDS: Mapping[str, str] = {
    Severity.CRITICAL: "failure",
    Severity.HIGH: "failure",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
}


class CannotNotify(ValueError):
    """Nobody can be told by an address; the text says why, and holds nothing of it but its service."""


def service_of(url: str) -> str:
    """What stands before `://`, for logs and metrics."""
    return url.partition("://")[0].lower()


def opened(url: str) -> Apprise:
    """Raises CannotNotify."""
    service = service_of(url)
    if service not in ENCRYPTED | PLAIN:
        raise CannotNotify(f"expected an address that begins with one of {', '.join(sorted(ENCRYPTED))}")
    from apprise import Apprise, AppriseAsset

    logging.getLogger("apprise").propagate = False  # it has a handler that drops everything
    asset = AppriseAsset(
        app_id="Timetable", image_url_mask="", image_url_logo="", http_redirects=False, storage_mode="memory"
    )
    found = Apprise.instantiate(url, asset=asset)
    if found is None:
        raise CannotNotify(f"{service}:// cannot be used as it is written; see the documentation of Apprise")
    plain = service in PLAIN or getattr(found, "secure_mode", "") == "insecure"  # of e-mail alone
    if plain and not is_loopback(getattr(found, "smtp_host", None) or found.host or ""):
        raise CannotNotify(f"{service}:// sends without encryption, which is for loopback addresses only")
    if not found.verify_certificate:
        raise CannotNotify(f"{service}:// does not check certificates (verify=no)")
    people = Apprise(asset=asset)
    people.add(found)
    return people


def problem(url: str) -> str | None:
    """Why nobody can be told by an address, None when somebody can."""
    try:
        opened(url)
    except CannotNotify as error:
        return str(error)
    return None


async def tell(people: Apprise, message: Message) -> str | None:
    """Why a message was not taken, None when it was. Whoever does not answer is not waited for."""

    def say() -> bool:
        return bool(
            people.notify(
                title=f"Timetable: {message['alert']} is {message['state']} ({message['severity']})",
                body="\n".join(lines_of(message)),
                notify_type="success" if message["state"] == "resolved" else _KINDS[message["severity"]],
                timeout=SECONDS,
            )
        )

    taken = await anyio.to_thread.run_sync(say, abandon_on_cancel=True)
    return None if taken else "it did not take the message"


def lines_of(message: Message) -> list[str]:
    """What people read, most important first."""
    job = [f"Job {message['job']}."] if message["job"] else []
    return [message["sentence"], message["advice"], *job, f"Since {message['since']}. See {message['runbook']}."]
