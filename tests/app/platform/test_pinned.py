"""Where a webhook may go: to what its name meant when it was looked at, and only to the public internet."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest
import trustme

from app.platform import pinned
from app.platform.delivery import NotDelivered
from app.platform.pinned import MOST_ANSWER_BYTES, Forbidden, Poster, forbidden_because
from app.system.addresses import url_problem
from tests.app.platform.conftest import Receiver
from tests.effort import PATIENCE_SECONDS
from tests.proxy import Proxy

pytestmark = pytest.mark.anyio

NEVER = (
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
)  # fmt: skip
PRIVATE = (
    "127.0.0.1", "127.8.8.8", "::1", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "fc00::1", "fd12::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",
)  # fmt: skip
NOT_PUBLIC = ("100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "2001:db8::1")
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8")


@pytest.mark.parametrize("address", [*NEVER, *PRIVATE, *NOT_PUBLIC])
def test_what_is_not_public_is_refused(address: str) -> None:
    assert forbidden_because(address, private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_allowed(address: str) -> None:
    assert forbidden_because(address, private=False) is None
    assert forbidden_because(address, private=True) is None


def test_a_setting_allows_private_addresses_and_never_those_of_clouds() -> None:
    assert not [address for address in PRIVATE if forbidden_because(address, private=True)]
    assert not [address for address in NEVER if not forbidden_because(address, private=True)]


@pytest.mark.parametrize(
    ("url", "fine", "fine_privately"),
    [
        ("https://hooks.example.org/x", True, True),
        ("https://hooks.example.org:8443/x", True, True),
        ("http://hooks.example.org/x", False, True),
        ("https://user:word@example.org/", False, False),
        ("https://word@example.org/", False, False),
        ("ftp://example.org/", False, False),
        ("file:///etc/passwd", False, False),
        ("https://", False, False),
        ("https://host:port/", False, False),
        ("https://[::1", False, False),
        ("", False, False),
    ],
)
def test_addresses_are_https_and_hold_no_password(url: str, fine: bool, fine_privately: bool) -> None:
    assert (url_problem(url, private=False) is None) == fine
    assert (url_problem(url, private=True) is None) == fine_privately


def names(*answers: Sequence[str]) -> tuple[list[str], pinned.Resolve]:
    """A resolver that gives one answer after the other, and the names that it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return asked, resolve


async def post(url: str, resolve: pinned.Resolve, *, private: bool = True, seconds: float = 5.0) -> None:
    await Poster(url=url, seconds=seconds, private=private, lookup=resolve).post(b"{}", {})


async def test_a_name_is_resolved_once_and_what_was_looked_at_is_connected_to(receiver: Receiver) -> None:
    """A name that means something else a moment later, as in DNS rebinding, leads nowhere else."""
    asked, resolve = names(["127.0.0.1"], ["169.254.169.254"])
    await post(f"http://hooks.example.org:{receiver.port}/x", resolve)
    assert asked == ["hooks.example.org"] and len(receiver.posts) == 1
    assert receiver.posts[0].headers["host"] == f"hooks.example.org:{receiver.port}"


async def test_the_certificate_has_to_be_that_of_the_name_and_not_of_the_address(receiver: Receiver) -> None:
    ours, other = trustme.CA(), trustme.CA()
    way, known = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ours.issue_cert("hooks.example.org").configure_cert(way)
    ours.configure_trust(known)
    other_only = ssl.create_default_context()
    other.configure_trust(other_only)
    async with Proxy(receiver.url, way) as proxy:
        port = proxy.url.rpartition(":")[2]
        resolve = names(["127.0.0.1"])[1]
        told = Poster(url=f"https://hooks.example.org:{port}/x", seconds=5, private=True, tls=known, lookup=resolve)
        await told.post(b"{}", {})
        assert len(receiver.posts) == 1
        for refused in (
            replace(told, url=f"https://evil.example.org:{port}/x"),
            replace(told, tls=other_only),
            replace(told, tls=None),
        ):
            with pytest.raises(NotDelivered, match="it cannot be reached"):
                await refused.post(b"{}", {})
    assert len(receiver.posts) == 1


async def test_one_forbidden_address_of_a_name_is_enough(receiver: Receiver) -> None:
    for addresses in (["8.8.8.8", "127.0.0.1"], ["::ffff:10.0.0.1"], ["169.254.169.254"]):
        with pytest.raises(Forbidden) as refused:
            await post("https://hooks.example.org/x", names(addresses)[1], private=False)
        assert refused.value.final
    assert not receiver.posts


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "[::1]"])
async def test_disguises_of_loopback_are_seen_through(host: str) -> None:
    with pytest.raises(Forbidden):
        await post(f"https://{host}/x", pinned.resolve, private=False)


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.usual = 302
    with pytest.raises(NotDelivered, match="it answered 302") as refused:
        await post(f"{receiver.url}/x", names(["127.0.0.1"])[1])
    assert refused.value.final and len(receiver.posts) == 1


async def test_only_the_beginning_of_an_answer_is_read(receiver: Receiver) -> None:
    receiver.usual, receiver.answer_bytes = 200, 50_000_000
    await post(f"{receiver.url}/x", names(["127.0.0.1"])[1])
    with anyio.fail_after(30):
        while receiver.answer_bytes > 0:
            await anyio.sleep(0.01)
    assert MOST_ANSWER_BYTES == 4096 and receiver.answer_bytes == -1, "the connection was closed on it"


async def test_whoever_does_not_answer_is_left(receiver: Receiver) -> None:
    receiver.hold.clear()
    with pytest.raises(NotDelivered, match="did not answer within") as left, anyio.fail_after(PATIENCE_SECONDS):
        await post(f"{receiver.url}/x", names(["127.0.0.1"])[1], seconds=0.2)
    assert left.value.down and not left.value.final


async def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    with pytest.raises(NotDelivered, match="not known") as left:
        await post("https://no-such-name.invalid/x", pinned.resolve)
    assert not left.value.final
