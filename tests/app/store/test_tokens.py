"""Tokens: what is believed, a collection of forged ones that are not, and the keys they are checked with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from app.domain.callers import Scope
from app.http.auth import KeyGuard
from app.http.problems import install
from app.main import create_app
from app.operations.exposure import refusal
from app.settings import Settings, SettingsError
from app.store.api_keys import KeyFile
from app.store.tokens import MAX_KEYS, Tokens, TokensUnusable, read_keys

pytestmark = pytest.mark.anyio

SECRET = b"a secret that only the issuer and we know, long enough for every algorithm there is"
RSA, OTHER_RSA, ED = generate_rsa(65537, 2048), generate_rsa(65537, 2048), Ed25519PrivateKey.generate()
ISSUER, AUDIENCE = "https://login.example.org", "timetable"


def pem_of(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings for one algorithm, with its key in a file named `main`."""

    def made(algorithms: str = "HS256", *files: Path, **given: Any) -> Settings:
        key = {"HS256": SECRET, "RS256": pem_of(RSA), "EdDSA": pem_of(ED)}.get(algorithms, pem_of(RSA))
        names = [str(file) for file in files] or [str(key_file(tmp_path, "main.key", key))]
        return Settings(
            **{
                "data_dir": tmp_path,
                "jwt_algorithms": algorithms,
                "jwt_key_files": ", ".join(names),
                "jwt_issuer": ISSUER,
                "jwt_audience": AUDIENCE,
                **given,
            }
        )

    return made


def key_file(folder: Path, name: str, data: bytes, mode: int = 0o600) -> Path:
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    return path


def claims(**given: Any) -> dict[str, Any]:
    """Those of a good token; None takes one away."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "django", "iat": now, "exp": now + 300}
    usual |= {"scope": "read submit openid", "organization_id": "BHU"}
    return {name: value for name, value in {**usual, **given}.items() if value is not None}


def token(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **given: Any) -> str:
    return jwt.encode(claims(**given), key, algorithm, headers=headers)


def raw(header: object, payload: object, key: bytes = SECRET) -> str:
    """A token of any content that is signed properly, as a library would refuse to make it."""
    parts = [encoded(text if isinstance(text, bytes) else json.dumps(text).encode()) for text in (header, payload)]
    signed = ".".join(parts)
    return f"{signed}.{encoded(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


HS = {"alg": "HS256", "typ": "JWT"}


def with_loose_bits(text: str) -> str:
    """Another spelling of the same bytes: the last character of 32 bytes has two bits that count for nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) ^ 1]


def swapped_payload() -> str:
    head, _, signature = token().split(".")
    return f"{head}.{encoded(json.dumps(claims(organization_id='*')).encode())}.{signature}"


FORGED: Mapping[str, Callable[[], str]] = {
    "without a signature": lambda: jwt.encode(claims(), None, "none"),
    "none in capitals": lambda: raw({**HS, "alg": "NONE"}, claims()),
    "none with a signature": lambda: raw({**HS, "alg": "none"}, claims()),
    "signature cut off": lambda: token().rpartition(".")[0] + ".",
    "one byte of the signature": lambda: token()[:-8] + ("AAAA" if token()[-8:-4] != "AAAA" else "BBBB") + token()[-4:],
    "another spelling of the signature": lambda: with_loose_bits(token()),
    "padding behind the signature": lambda: token() + "=",
    "a line end inside": lambda: token().replace(".", ".\n", 1),
    "characters that are no base64": lambda: token().replace(".", ".!!", 1),
    "claims of another token": swapped_payload,
    "another secret": lambda: token(b"x" * 64),
    "an empty secret": lambda: raw(HS, claims(), b""),
    "HS384": lambda: token(SECRET, "HS384"),
    "HS512": lambda: token(SECRET, "HS512"),
    "RS256 with a key of its own": lambda: token(OTHER_RSA, "RS256"),
    "EdDSA with a key of its own": lambda: token(ED, "EdDSA"),
    "no algorithm": lambda: raw({"typ": "JWT"}, claims()),
    "an algorithm that is a list": lambda: raw({**HS, "alg": ["HS256"]}, claims()),
    "a key in the header": lambda: token(headers={"jwk": {"kty": "oct", "k": encoded(SECRET)}}),
    "a place of keys in the header": lambda: token(headers={"jku": "https://evil.example.org/keys"}),
    "a certificate in the header": lambda: token(headers={"x5c": ["MIIB"]}),
    "a place of certificates": lambda: token(headers={"x5u": "file:///etc/passwd"}),
    "what must be understood": lambda: token(headers={"crit": ["exp"], "exp": 0}),
    "unencoded content": lambda: token(headers={"b64": False}),
    "an unknown kid": lambda: token(headers={"kid": "other"}),
    "a kid that is a path": lambda: token(headers={"kid": "../main"}),
    "a kid that is a statement": lambda: token(headers={"kid": "main' OR '1'='1"}),
    "a kid that is a number": lambda: raw({**HS, "kid": 1}, claims()),
    "an encrypted type": lambda: token(headers={"typ": "JWE"}),
    "a header that is a list": lambda: raw([], claims()),
    "a header that is no JSON": lambda: raw(b"{", claims()),
    "a header of brackets": lambda: raw(b"[" * 3000, claims()),
    "claims that are a list": lambda: raw(HS, [claims()]),
    "claims that are no JSON": lambda: raw(HS, b"\xff\xfe"),
    "claims of brackets": lambda: raw(HS, b"[" * 3000),
    "expired": lambda: token(exp=int(time.time()) - 60),
    "never expires": lambda: token(exp=None),
    "expires at infinity": lambda: raw(HS, {**claims(), "exp": float("inf")}),
    "expires at no number": lambda: raw(HS, {**claims(), "exp": float("nan")}),
    "expires at a text": lambda: raw(HS, {**claims(), "exp": str(int(time.time()) + 300)}),
    "expires at true": lambda: raw(HS, {**claims(), "exp": True}),
    "expires at null": lambda: raw(HS, {**claims(), "exp": None}),
    "not valid yet": lambda: token(nbf=int(time.time()) + 60),
    "not before a text": lambda: raw(HS, {**claims(), "nbf": "0"}),
    "from the future": lambda: token(iat=int(time.time()) + 600),
    "another issuer": lambda: token(iss="https://evil.example.org"),
    "an issuer that begins alike": lambda: token(iss=ISSUER + ".evil.org"),
    "a list of issuers": lambda: raw(HS, {**claims(), "iss": [ISSUER]}),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="billing"),
    "no audience": lambda: token(aud=None),
    "an empty audience": lambda: token(aud=[]),
    "no subject": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "a subject that is a number": lambda: raw(HS, {**claims(), "sub": 7}),
    "an endless subject": lambda: token(sub="x" * 201),
    "no organisation": lambda: token(organization_id=None),
    "an empty organisation": lambda: token(organization_id=""),
    "no organisation in a list": lambda: token(organization_id=[]),
    "a list that says all": lambda: token(organization_id=["*", 1]),
    "an organisation that is an object": lambda: token(organization_id={"id": "BHU"}),
    "two dots": lambda: "..",
    "too long": lambda: token(more="x" * 9000),
}


def guarded(settings: Settings) -> httpx.AsyncClient:
    app = FastAPI(middleware=[Middleware(KeyGuard, settings=settings)])
    install(app)

    @app.get("/jobs")
    async def told(request: Request) -> dict[str, Any]:
        caller = request.scope["caller"]
        assert request.scope["key_id"] == caller.id
        return {"id": caller.id, "scopes": caller.scopes, "organisations": caller.organisations}

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@pytest.fixture
async def client(settings: Callable[..., Settings]) -> AsyncIterator[httpx.AsyncClient]:
    async with guarded(settings()) as client:
        yield client


async def shown(client: httpx.AsyncClient, text: str) -> httpx.Response:
    # As bytes: the client would refuse to send some of what an attacker sends.
    return await client.get("/jobs", headers=[(b"authorization", b"Bearer " + text.encode())])


# --- what is believed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "key"), [("HS256", SECRET), ("RS256", RSA), ("EdDSA", ED)])
async def test_a_token_says_who_asks_what_they_may_do_and_for_whom(
    settings: Callable[..., Settings], algorithm: str, key: Any
) -> None:
    async with guarded(settings(algorithm)) as client:
        answer = await shown(client, token(key, algorithm))
        assert (answer.status_code, answer.json()) == (
            200,
            {"id": "jwt:django", "scopes": ["read", "submit"], "organisations": ["BHU"]},
        )
        assert (await client.get("/jobs")).status_code == 401, "also on a loopback address"


@pytest.mark.parametrize(
    ("given", "scopes", "organisations"),
    [
        ({"scope": ["admin", "read"]}, ["read", "admin"], ["BHU"]),
        ({"organization_id": "*"}, ["read", "submit"], None),
        ({"organization_id": ["BHU", "7f0c"]}, ["read", "submit"], ["BHU", "7f0c"]),
        ({"aud": ["billing", AUDIENCE]}, ["read", "submit"], ["BHU"]),
    ],
)
async def test_claims_may_be_said_in_several_ways(
    client: httpx.AsyncClient, given: dict[str, Any], scopes: list[str], organisations: list[str] | None
) -> None:
    answer = (await shown(client, token(**given))).json()
    assert (answer["scopes"], answer["organisations"]) == (scopes, organisations)


async def test_a_token_that_ran_out_a_moment_ago_is_taken_because_clocks_differ(client: httpx.AsyncClient) -> None:
    assert (await shown(client, token(exp=time.time() - 5))).status_code == 200


async def test_the_names_of_claims_are_settings(settings: Callable[..., Settings]) -> None:
    named = settings(jwt_scope_claim="roles", jwt_organisation_claim="https://example.org/tenant")
    async with guarded(named) as client:
        answer = await shown(client, token(roles=["read"], **{"https://example.org/tenant": "A"}))
        assert answer.json() == {"id": "jwt:django", "scopes": ["read"], "organisations": ["A"]}


@pytest.mark.parametrize("scope", [None, "", "openid profile", 7, ["submit"], "READ"])
async def test_a_token_without_the_right_is_known_and_not_let_in(client: httpx.AsyncClient, scope: object) -> None:
    answer = await shown(client, token(scope=scope))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_the_subject_is_one_word_wherever_it_is_written(client: httpx.AsyncClient) -> None:
    answer = await shown(client, token(sub="a/b\n\u202e c@example.org"))
    assert answer.json()["id"] == "jwt:a%2Fb%0A%E2%80%AE%20c@example.org"


async def test_keys_and_tokens_work_side_by_side(settings: Callable[..., Settings], tmp_path: Path) -> None:
    key, text = KeyFile(tmp_path).add("old way", [Scope.READ], organisations=["BHU"])
    async with guarded(settings()) as client:
        assert (await shown(client, text)).json() == {"id": key.id, "scopes": ["read"], "organisations": ["BHU"]}
        assert (await shown(client, token())).status_code == 200
    async with guarded(Settings(data_dir=tmp_path)) as client:
        assert (await shown(client, text)).status_code == 200
        assert (await shown(client, token())).status_code == 401, "tokens are off unless they are set up"


async def test_while_a_key_is_replaced_both_are_good(settings: Callable[..., Settings], tmp_path: Path) -> None:
    files = [key_file(tmp_path, f"{name}.pem", pem_of(key)) for name, key in {"old": RSA, "new": OTHER_RSA}.items()]
    async with guarded(settings("RS256", *files)) as client:
        for kid, key in (("old", RSA), ("new", OTHER_RSA), (None, RSA), (None, OTHER_RSA)):
            good = token(key, "RS256", None if kid is None else {"kid": kid})
            assert (await shown(client, good)).status_code == 200, kid
        assert (await shown(client, token(RSA, "RS256", {"kid": "new"}))).status_code == 401


# --- what is not -----------------------------------------------------------------------------------------------------


def test_there_are_enough_forged_tokens() -> None:
    assert len(FORGED) >= 30


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_token_is_a_401(client: httpx.AsyncClient, how: str, caplog: pytest.LogCaptureFixture) -> None:
    forged = FORGED[how]()
    with caplog.at_level("INFO", "timetable.keys"):
        answer = await shown(client, forged)
    assert (answer.status_code, answer.json()["code"]) == (401, "no_key")
    assert len(forged) < 10 or forged[:10] not in caplog.text, "no token is written to the log"


@pytest.mark.parametrize("algorithms", ["RS256", "EdDSA", "RS256,EdDSA"])
async def test_a_public_key_is_never_taken_for_a_secret(
    settings: Callable[..., Settings], tmp_path: Path, algorithms: str
) -> None:
    public = pem_of(ED if algorithms == "EdDSA" else RSA)
    async with guarded(settings(algorithms)) as client:
        for key in (public, public.strip(), SECRET):
            assert (await shown(client, raw(HS, claims(), key))).status_code == 401
        other = ED if algorithms == "RS256" else RSA
        kind = "EdDSA" if other is ED else "RS256"
        if kind not in algorithms.split(","):
            assert (await shown(client, token(other, kind))).status_code == 401


async def test_a_token_in_the_header_for_keys_counts_like_any_other(client: httpx.AsyncClient) -> None:
    assert (await client.get("/jobs", headers={"X-API-Key": token()})).status_code == 200
    assert (await client.get("/jobs", headers={"Authorization": f"Basic {token()}"})).status_code == 401


# --- the keys --------------------------------------------------------------------------------------------------------


def private_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("algorithms", "data", "mode", "told"),
    [
        ("HS256", b"short", 0o600, "at least 32 bytes"),
        ("HS256", SECRET, 0o640, "chmod 600"),
        ("HS256", pem_of(RSA), 0o600, "PEM key"),
        ("HS256", b"x" * 20_000, 0o600, "more than"),
        ("RS256", SECRET, 0o600, "no public key"),
        ("RS256", private_pem(RSA), 0o600, "no public key"),
        ("RS256", pem_of(ED), 0o600, "key for EdDSA"),
        ("EdDSA", pem_of(RSA), 0o600, "key for RS256"),
        ("RS256", pem_of(generate_rsa(65537, 1024)), 0o600, "1024 bits"),
        ("EdDSA", pem_of(generate_ec(SECP256R1())), 0o600, "another kind"),
    ],
    ids=itertools.count(),  # the keys are others in every process, and make no names
)
def test_a_key_that_cannot_be_used_keeps_the_service_from_starting(
    settings: Callable[..., Settings], tmp_path: Path, algorithms: str, data: bytes, mode: int, told: str
) -> None:
    unfit = settings(algorithms, key_file(tmp_path, "unfit.key", data, mode))
    with pytest.raises(TokensUnusable, match=told):
        read_keys(unfit)
    assert told in str(refusal(unfit)), "`timetable doctor` and `timetable serve` say so"
    assert data[:20].decode(errors="replace") not in str(refusal(unfit)) or data.startswith(b"-----")


def test_keys_must_be_there_few_and_of_different_names(settings: Callable[..., Settings], tmp_path: Path) -> None:
    with pytest.raises(TokensUnusable, match="cannot be read"):
        Tokens(settings("HS256", tmp_path / "missing"))
    (tmp_path / "more").mkdir()
    same = [key_file(folder, "a.key", SECRET) for folder in (tmp_path, tmp_path / "more")]
    with pytest.raises(TokensUnusable, match="same name"):
        Tokens(settings("HS256", *same))
    many = [key_file(tmp_path, f"k{n}.key", SECRET) for n in range(MAX_KEYS + 1)]
    with pytest.raises(TokensUnusable, match="expected 1 to"):
        Tokens(settings("HS256", *many))


async def test_an_application_with_an_unfit_key_does_not_begin_to_serve(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with pytest.raises(TokensUnusable):
        create_app(settings("HS256", tmp_path / "missing"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"jwt_algorithms": "none"}, "expected HS256"),
        ({"jwt_algorithms": "HS256, RS256"}, "expected HS256"),
        ({"jwt_algorithms": "HS512"}, "expected HS256"),
        ({"jwt_algorithms": "RS256"}, "TIMETABLE_JWT_ISSUER"),
        ({"jwt_leeway_seconds": 61}, "from 0 to 60"),
    ],
)
def test_settings_that_would_weaken_tokens_are_refused(tmp_path: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Settings(data_dir=tmp_path, **given)


def test_tokens_open_a_public_address(settings: Callable[..., Settings], tmp_path: Path) -> None:
    assert "keys add" in str(refusal(Settings(data_dir=tmp_path, host="0.0.0.0")))
    assert refusal(settings(host="0.0.0.0")) is None
