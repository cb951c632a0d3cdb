"""
A POST to an address that we do not trust to lead where it seems to.

The name is resolved once, every address it stands for is looked at, and the connection goes to one of these: a name
that means something else a moment later changes nothing. Redirects are not followed, proxies of the environment are not
asked, and of the answer only the status is of interest.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import anyio
import httpcore

from app.platform.delivery import NotDelivered
from app.system.addresses import url_problem

MOST_ANSWER_BYTES = 4096
TRY_AGAIN = frozenset({404, 408, 409, 425, 429})
"""Refusals that may pass; 404 because a platform may post a job before its own transaction is over."""
IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(NotDelivered):
    """The address is not one that may be asked."""

    def __init__(self, why: str) -> None:
        super().__init__(why, final=True)


class StatusError(NotDelivered):
    """The answer is no success."""

    def __init__(self, status: int) -> None:
        final = 300 <= status < 500 and status not in TRY_AGAIN
        super().__init__(f"it answered {status}", final=final, down=status >= 500)
        self.status = status


def forbidden_because(address: str, *, private: bool) -> str | None:
    """
    Why an address must not be connected to; `private` allows private and loopback ones.

    Link-local ones never are: clouds keep the keys of the machine there.
    """
    ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return "it is a link-local, multicast or unspecified address"
    if private and (ip.is_private or ip.is_loopback):
        return None
    return None if ip.is_global and not ip.is_reserved else "it is not an address of the public internet"


def _plain(ip: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for, in any of the ways that exist."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at, and to nothing else."""

    def __init__(self, private: bool, lookup: Resolve) -> None:
        self._private, self._lookup = private, lookup
        self._below = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._lookup(host, port)
        except OSError:
            raise NotDelivered("its name is not known") from None
        for address in addresses:
            problem = forbidden_because(address, private=self._private)
            if problem:
                raise Forbidden(f"its name stands for a forbidden address: {problem}")
        refused: Exception = NotDelivered("its name stands for no address")
        for address in addresses:
            try:
                return await self._below.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                refused = error
        raise refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """Posts to one address; raises NotDelivered unless the answer is a success. `seconds` are for all of it."""

    url: str
    seconds: float
    private: bool
    tls: ssl.SSLContext | None = None
    lookup: Resolve = resolve

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts a body of JSON. Raises StatusError for a bad answer, Forbidden, and NotDelivered for all else."""
        problem = url_problem(self.url, private=self.private)
        if problem:
            raise Forbidden(problem)
        try:
            with anyio.fail_after(self.seconds):
                status = await self._status(body, {"Content-Type": "application/json", **headers})
        except TimeoutError:
            raise NotDelivered(f"it did not answer within {self.seconds:g} s") from None
        except (httpcore.ConnectError, httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise NotDelivered(f"it cannot be reached: {type(error).__name__}") from None
        except httpcore.ProtocolError as error:
            raise NotDelivered(f"its answer is no HTTP: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise StatusError(status)

    async def _status(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; its body is read up to a bound, so that a polite server is not cut off."""
        backend = _Checked(self.private, self.lookup)
        tls = self.tls or ssl.create_default_context()
        async with (
            httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=backend, retries=0) as pool,
            pool.stream("POST", self.url, headers=_headers(self.url, headers, body), content=body) as answer,
        ):
            read = 0
            async for piece in answer.aiter_stream():
                read += len(piece)
                if read > MOST_ANSWER_BYTES:
                    break
            return answer.status


def _headers(url: str, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    given = {"Host": urlsplit(url).netloc, "Content-Length": str(len(body)), **headers}
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in given.items()]
