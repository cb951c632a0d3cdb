"""API keys: their file, the layer that asks for them, and the command line that makes them."""

from __future__ import annotations

import hmac
import json
import os
import re
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from typer.testing import CliRunner

from app.cli import app as command_line
from app.domain.callers import Scope
from app.http.access import ROUTES, Rate, access_of
from app.http.auth import KeyGuard
from app.http.limits import BodyLimit, OneSpelling
from app.http.problems import install
from app.main import create_app
from app.operations.audit import TRAIL_FILE
from app.operations.exposure import is_loopback, refusal
from app.settings import Settings
from app.store import api_keys as keys
from app.store.api_keys import (
    KEYS_FILE,
    LOCK_FILE,
    PEPPER_FILE,
    Key,
    KeyFile,
    Keyring,
    KeysDamaged,
)

pytestmark = pytest.mark.anyio
SCOPES = (Scope.READ, Scope.SUBMIT)


@pytest.fixture(autouse=True)
def looked_at_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "LOOK_EVERY_SECONDS", 0.0)


def guarded(folder: Path, host: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client of a small service behind the layer, with routes of every right."""
    settings = Settings(data_dir=folder, host=host)
    layers = [Middleware(OneSpelling), Middleware(KeyGuard, settings=settings), Middleware(BodyLimit, limit=10)]
    app = FastAPI(middleware=layers, redirect_slashes=False)
    install(app)

    async def told(request: Request) -> dict[str, Any]:
        return {"key_id": request.scope.get("key_id")}

    for path in ("/jobs", "/health/live", "/secret-new-route"):
        app.get(path)(told)
    for path in ("/cancel/{job_id}", "/generate_variants"):
        app.post(path)(told)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def status(client: httpx.AsyncClient, text: str | None, route: str = "GET /jobs") -> int:
    method, path = route.split()
    headers = {} if text is None else {"Authorization": f"Bearer {text}"}
    return (await client.request(method, path, headers=headers)).status_code


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_a_hash_that_only_the_owner_can_read(tmp_path: Path) -> None:
    key, text = KeyFile(tmp_path).add("platform", SCOPES)
    secret = text.rpartition("_")[2] if text.count("_") == 2 else text.split("_", 2)[2]
    assert len(secret) >= 43, "256 bits in base64"
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert text.encode() not in written and secret.encode() not in written
    for name in (KEYS_FILE, LOCK_FILE, PEPPER_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [KEYS_FILE, LOCK_FILE, PEPPER_FILE], "nothing is left lying about"
    assert KeyFile(tmp_path).all() == (key,)


def test_the_same_key_has_another_hash_in_another_installation(tmp_path: Path) -> None:
    one, other = KeyFile(tmp_path / "one"), KeyFile(tmp_path / "other")
    _, text = one.add("a", SCOPES)
    other.add("a", SCOPES)
    assert keys.digest_of(text, one.pepper()) != keys.digest_of(text, other.pepper())


@pytest.mark.parametrize("name", ["", "x" * 101, "two\nlines"])
def test_a_name_is_for_people_to_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        KeyFile(tmp_path).add(name, SCOPES)


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / KEYS_FILE).write_text("[{", encoding="utf-8")
    with pytest.raises(KeysDamaged, match="no list of keys"):
        KeyFile(tmp_path).add("a", SCOPES)
    assert (tmp_path / KEYS_FILE).read_text(encoding="utf-8") == "[{"


def test_a_revocation_is_not_undone_by_a_key_that_is_made_at_the_same_time(tmp_path: Path) -> None:
    has_read, is_revoked = threading.Event(), threading.Event()

    class Slow(KeyFile):
        def all(self) -> tuple[Key, ...]:
            found = super().all()
            has_read.set()
            is_revoked.wait(0.3)  # the whole of it when the other one has to wait, as it should
            return found

    file = KeyFile(tmp_path)
    old, _ = file.add("old", SCOPES)
    adding = threading.Thread(target=Slow(tmp_path).add, args=("new", SCOPES))
    adding.start()
    assert has_read.wait(10)
    file.revoke(old.id)
    is_revoked.set()
    adding.join()
    assert [(key.name, key.state(0.0)) for key in file.all()] == [("old", "revoked"), ("new", "live")]


# --- the layer -------------------------------------------------------------------------------------------------------


async def test_without_keys_a_loopback_service_is_open_and_any_other_is_shut(tmp_path: Path) -> None:
    async with guarded(tmp_path) as client:
        assert await status(client, None) == 200
    async with guarded(tmp_path, host="0.0.0.0") as client:
        assert await status(client, None) == 401
        assert await status(client, None, "GET /health/live") == 200


async def test_a_key_opens_what_its_rights_name_and_nothing_else(tmp_path: Path) -> None:
    file = KeyFile(tmp_path)
    held = {scope: file.add(scope.value, [scope])[1] for scope in Scope}
    wanted = {"GET /jobs": Scope.READ, "POST /generate_variants": Scope.SUBMIT, "POST /cancel/j": Scope.CANCEL}
    async with guarded(tmp_path) as client:
        for route, needed in wanted.items():
            for scope, text in held.items():
                expected = 200 if scope in (needed, Scope.ADMIN) else 403
                assert await status(client, text, route) == expected, (route, scope)
            assert await status(client, None, route) == 401
        assert await status(client, None, "GET /health/live") == 200
        assert await status(client, None, "GET /health") == 401


async def test_a_route_that_nobody_listed_takes_the_right_admin(tmp_path: Path) -> None:
    _, reader = KeyFile(tmp_path).add("reader", [Scope.READ, Scope.SUBMIT, Scope.CANCEL])
    _, admin = KeyFile(tmp_path).add("admin", [Scope.ADMIN])
    async with guarded(tmp_path) as client:
        assert await status(client, reader, "GET /secret-new-route") == 403
        assert await status(client, admin, "GET /secret-new-route") == 200


@pytest.mark.parametrize("spelling", ["/jobs", "/jobs/", "/api/jobs", "/api/jobs/"])
async def test_every_spelling_of_a_route_is_guarded(tmp_path: Path, spelling: str) -> None:
    KeyFile(tmp_path).add("a", SCOPES)
    async with guarded(tmp_path) as client:
        assert (await client.get(spelling)).status_code == 401
        assert (await client.head(spelling)).status_code == 401


async def test_two_live_keys_serve_at_once_and_a_revoked_or_expired_one_does_not(tmp_path: Path) -> None:
    file = KeyFile(tmp_path)
    first, old = file.add("platform, old", SCOPES)
    _, new = file.add("platform, new", SCOPES, days=1)
    _, expired = file.add("guest", SCOPES, days=0)
    async with guarded(tmp_path) as client:
        assert [await status(client, text) for text in (old, new, expired)] == [200, 200, 401]
        assert file.revoke(first.id) is not None
        assert [await status(client, text) for text in (old, new)] == [401, 200], "noticed without a restart"
        file.revoke(file.all()[1].id)
        assert await status(client, None) == 401, "revoking the last key does not open the doors"
        (tmp_path / KEYS_FILE).unlink()
        assert await status(client, None) == 401, "nor does taking the file away"


async def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    _, text = KeyFile(tmp_path).add("a", SCOPES)
    whole = (tmp_path / KEYS_FILE).read_text(encoding="utf-8")
    async with guarded(tmp_path) as client:
        assert await status(client, text) == 200
        (tmp_path / KEYS_FILE).write_text(whole[:-9], encoding="utf-8")
        assert await status(client, text) == 401
        (tmp_path / KEYS_FILE).write_text(whole, encoding="utf-8")
        assert await status(client, text) == 200
        (tmp_path / PEPPER_FILE).write_bytes(b"short")
        (tmp_path / KEYS_FILE).write_text(whole + "\n", encoding="utf-8")
        assert await status(client, text) == 401


async def test_a_file_that_could_not_be_read_for_a_moment_is_read_again_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, text = KeyFile(tmp_path).add("a", SCOPES)
    hidden = (tmp_path / PEPPER_FILE).rename(tmp_path / "elsewhere")
    async with guarded(tmp_path) as client:
        assert [await status(client, text), await status(client, text), await status(client, None)] == [401] * 3
        assert [record.levelname for record in caplog.records if record.name == "timetable.keys"] == ["ERROR"]
        hidden.rename(tmp_path / PEPPER_FILE)
        assert [await status(client, text), await status(client, None)] == [200, 401]


async def test_both_headers_work_and_what_is_no_key_is_a_401_problem(tmp_path: Path) -> None:
    key, text = KeyFile(tmp_path).add("a", SCOPES)
    async with guarded(tmp_path) as client:
        for headers in ({"X-API-Key": text}, {"Authorization": f"bearer  {text} "}):
            assert (await client.get("/jobs", headers=headers)).json() == {"key_id": key.id}
        wrong = [{}, {"X-API-Key": ""}, {"X-API-Key": text[:-1]}, {"X-API-Key": text + "x" * 500}]
        wrong += [{"Authorization": f"Basic {text}"}, {"Authorization": text}, {"Authorization": "Bearer"}]
        for headers in wrong:
            answer = await client.get("/jobs", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "no_key"), headers
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
        binary = await client.get("/jobs", headers=[(b"x-api-key", b"\xff\xfe\x00key")])
        assert binary.status_code == 401


async def test_nobody_without_a_key_can_make_us_read_a_body(tmp_path: Path) -> None:
    KeyFile(tmp_path).add("a", SCOPES)
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x"

    async with guarded(tmp_path) as client:
        answer = await client.post("/generate_variants", content=body())
    assert (answer.status_code, sent) == (401, 0)


def test_the_last_use_of_a_key_is_kept_beside_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "NOTE_EVERY_SECONDS", 0.0)
    key, text = KeyFile(tmp_path).add("a", SCOPES)
    before = (tmp_path / KEYS_FILE).read_bytes()
    assert Keyring(tmp_path, open_without=True).find(text) == key
    for _ in range(200):
        if KeyFile(tmp_path).uses():
            break
        time.sleep(0.01)
    assert KeyFile(tmp_path).uses()[key.id] == pytest.approx(time.time(), abs=60)
    assert (tmp_path / KEYS_FILE).read_bytes() == before


def test_unknown_wrong_and_revoked_keys_are_compared_with_every_key_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take the same path, whatever comes of it, and so nobody learns by the clock which of them a key is."""
    file = KeyFile(tmp_path)
    revoked, revoked_text = file.add("old", SCOPES)
    _, live = file.add("new", SCOPES)
    file.revoke(revoked.id)
    ring = Keyring(tmp_path, open_without=True)
    compared: list[str] = []

    def compare_digest(one: str, other: str, compare: Callable[[str, str], bool] = hmac.compare_digest) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    for text in ("tt_000000000000_" + "x" * 43, live[:-3] + "xyz", revoked_text):
        compared.clear()
        assert ring.find(text) is None
        assert sorted(compared) == sorted(digest for digest, _ in ring._keys) and len(compared) == 2


# --- the table of rights ---------------------------------------------------------------------------------------------


def test_every_route_of_the_service_is_in_the_table_and_nothing_else(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    described = {f"{method.upper()} {path}" for path, verbs in app.openapi()["paths"].items() for method in verbs}
    served = {f"{method} {route.path}" for route in routes_of(app.router) for method in route.methods - {"HEAD"}}
    assert described < served
    assert served == set(ROUTES)


def routes_of(router: Any) -> Iterator[Any]:
    """Routes of a router and, as newer versions of the framework keep them, of those it includes."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        yield from routes_of(inner) if inner is not None else [route]


def test_only_the_two_probes_and_the_empty_page_need_no_key_and_what_steers_a_job_is_never_counted() -> None:
    assert {route for route, access in ROUTES.items() if access.scope is None} == {
        "GET /health/live",
        "GET /health/ready",
        "GET /",
        "GET /static/{path:path}",
        "GET /docs",
        "GET /docs/{name}",
        "GET /help",
        "GET /help/{name}",
    }
    for route in ("GET /progress/j", "GET /health", "POST /cancel/j", "POST /finish/j"):
        assert access_of(*route.split()).rate is Rate.FREE


@pytest.mark.parametrize("path", ["/cancel/a/b", "/jobs//", "/JOBS", "/progress/", "/health/live/x", "", "//jobs"])
def test_no_other_path_slips_into_the_rights_of_a_route(path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert access_of(method, path).scope is Scope.ADMIN


# --- where the service may listen ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"])
def test_a_loopback_address_needs_no_key(tmp_path: Path, host: str) -> None:
    assert is_loopback(host) and refusal(Settings(data_dir=tmp_path, host=host)) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "timetable.example.org", ""])
def test_any_other_address_needs_a_live_one(tmp_path: Path, host: str) -> None:
    settings, file = Settings(data_dir=tmp_path, host=host), KeyFile(tmp_path)
    assert "timetable keys add" in str(refusal(settings))
    key, _ = file.add("a", SCOPES)
    assert refusal(settings) is None
    file.revoke(key.id)
    assert "timetable keys add" in str(refusal(settings))
    (tmp_path / KEYS_FILE).write_text("?", encoding="utf-8")
    assert "cannot be read" in str(refusal(settings))


# --- the commands ----------------------------------------------------------------------------------------------------


def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    environment = {"TIMETABLE_DATA_DIR": str(folder), **variables}
    result = CliRunner().invoke(command_line, ["keys", *arguments], env=environment)
    return result.exit_code, result.stdout, result.stderr


def test_a_key_is_made_listed_and_revoked_on_the_command_line(tmp_path: Path) -> None:
    code, text, told = run(tmp_path, "add", "platform", "--scope", "read", "--scope", "submit", "--days", "30")
    assert code == 0, told
    assert re.fullmatch(r"tt_[0-9a-f]{12}_[\w-]{43}\n", text)
    key = Keyring(tmp_path, open_without=True).find(text.strip())
    assert key is not None and key.scopes == SCOPES and key.expires_at is not None
    code, listed, _ = run(tmp_path, "list", "--json")
    (view,) = json.loads(listed)["keys"]
    assert (view["id"], view["state"], view["last_used_at"]) == (key.id, "live", None)
    assert "digest" not in view and key.digest not in listed
    assert run(tmp_path, "revoke", key.id)[0] == 0
    assert "revoked" in run(tmp_path, "list")[1]
    assert Keyring(tmp_path, open_without=True).find(text.strip()) is None


def test_a_key_can_be_bound_to_an_organisation_by_each_of_its_names(tmp_path: Path) -> None:
    names = ["--organisation", "Banaras Hindu University", "--organisation", "7f0c6a2e"]
    code, text, told = run(tmp_path, "add", "django", "--scope", "read", *names)
    assert code == 0 and "in Banaras Hindu University, 7f0c6a2e" in told.replace("\n", " ")
    key = Keyring(tmp_path, open_without=True).find(text.strip())
    assert key is not None and key.caller.organisations == ("Banaras Hindu University", "7f0c6a2e")
    assert run(tmp_path, "add", "all", "--scope", "read")[0] == 0
    bound, unbound = json.loads(run(tmp_path, "list", "--json")[1])["keys"]
    assert (bound["organisations"], unbound["organisations"]) == (names[1::2], None)
    assert "7f0c6a2e" in run(tmp_path, "list")[1]
    trail = [json.loads(line) for line in (tmp_path / TRAIL_FILE).read_text(encoding="utf-8").splitlines()]
    assert [entry["organisations"] for entry in trail] == [names[1::2], None]


@pytest.mark.parametrize("name", ["", " BHU", "two\nlines", "x" * 301])
def test_a_key_is_not_bound_to_what_no_organisation_is_called(tmp_path: Path, name: str) -> None:
    code, _, told = run(tmp_path, "add", "x", "--scope", "read", "--organisation", name)
    assert code == 2 and "printable" in told
    assert KeyFile(tmp_path).all() == ()


def test_keys_that_were_made_before_there_were_organisations_are_bound_to_none(tmp_path: Path) -> None:
    _, text = KeyFile(tmp_path).add("old", SCOPES)
    (entry,) = json.loads((tmp_path / KEYS_FILE).read_text(encoding="utf-8"))
    del entry["organisations"]
    (tmp_path / KEYS_FILE).write_text(json.dumps([entry]), encoding="utf-8")
    key = Keyring(tmp_path, open_without=True).find(text)
    assert key is not None and key.caller.organisations is None


def test_commands_that_cannot_work_say_why(tmp_path: Path) -> None:
    assert run(tmp_path, "add", "x", "--scope", "everything")[0] == 2
    assert run(tmp_path, "add", "x")[0] == 2
    code, _, told = run(tmp_path, "revoke", "nobody")
    assert code == 2 and "keys list" in told
    (tmp_path / KEYS_FILE).write_text("?", encoding="utf-8")
    code, _, told = run(tmp_path, "list")
    assert code == 1 and "cannot be read" in told.replace("\n", " ")


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_nothing_is_cut_off_a_list_of_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    name = "the timetable office of the faculty of natural sciences, second floor"
    every = [argument for scope in Scope for argument in ("--scope", scope.value)]
    assert run(tmp_path, "add", name, *every, "--days", "30")[0] == 0
    (key,) = KeyFile(tmp_path).all()
    listed = run(tmp_path, "list")[1]
    assert key.id in listed and name in listed and "\u2026" not in listed
    assert ", ".join(key.scopes) in listed


def test_a_key_is_made_as_one_json_document(tmp_path: Path) -> None:
    code, text, told = run(tmp_path, "add", "platform", "--scope", "read", "--json")
    made = json.loads(text)
    assert (code, told) == (0, "")
    assert (made["name"], made["scopes"], made["state"]) == ("platform", ["read"], "live")
    key = Keyring(tmp_path, open_without=True).find(made["key"])
    assert key is not None and key.id == made["id"] and key.digest not in text


def test_every_change_of_keys_stands_in_the_audit_trail_without_the_key(tmp_path: Path) -> None:
    made = json.loads(run(tmp_path, "add", "platform", "--scope", "read", "--json")[1])
    assert run(tmp_path, "revoke", made["id"])[0] == 0
    assert run(tmp_path, "revoke", "nobody")[0] == 2
    trail = tmp_path / TRAIL_FILE
    entries = [json.loads(line) for line in trail.read_text(encoding="utf-8").splitlines()]
    assert [(entry["action"], entry["key"]) for entry in entries] == [
        ("keys add", made["id"]),
        ("keys revoke", made["id"]),
    ]
    assert all(entry["user"] == os.getuid() and entry["time"].endswith("+00:00") for entry in entries)
    secret, digest = made["key"].rpartition("_")[2], KeyFile(tmp_path).all()[0].digest
    assert secret not in trail.read_text(encoding="utf-8") and digest not in trail.read_text(encoding="utf-8")
    assert stat.S_IMODE(trail.stat().st_mode) == 0o600


def test_a_change_that_cannot_be_recorded_is_not_made(tmp_path: Path) -> None:
    (tmp_path / TRAIL_FILE).mkdir()
    code, text, told = run(tmp_path, "add", "platform", "--scope", "read")
    assert code == 1 and text == "" and TRAIL_FILE in told.replace("\n", "")
    assert KeyFile(tmp_path).all() == ()


def test_a_running_service_logs_the_changes_it_notices(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "timetable.audit")
    file = KeyFile(tmp_path)
    before, _ = file.add("before", SCOPES)
    ring = Keyring(tmp_path, open_without=True)
    assert ring.needed() and caplog.records == []
    added, _ = file.add("fresh", SCOPES)
    ring.needed()
    file.revoke(before.id)
    ring.needed()
    told = [(record.action, record.key) for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [("keys add", added.id), ("keys revoke", before.id)]


def test_behind_a_proxy_a_key_is_needed_on_a_loopback_address_too(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, trusted_proxies="127.0.0.1")
    assert "reach 127.0.0.1 through a proxy" in str(refusal(settings))
    KeyFile(tmp_path).add("platform", SCOPES)
    assert refusal(settings) is None


def test_services_share_the_keys_of_one_folder(tmp_path: Path) -> None:
    shared = tmp_path / "keys"
    made = json.loads(run(tmp_path, "add", "platform", "--scope", "read", "--json", TIMETABLE_KEYS_DIR=str(shared))[1])
    for name in ("one", "other"):
        settings = Settings(data_dir=tmp_path / name, keys_dir=str(shared), host="0.0.0.0")
        assert refusal(settings) is None
        key = Keyring(settings.keys_folder, open_without=False).find(made["key"])
        assert key is not None and key.id == made["id"]
    assert not KeyFile(tmp_path).exists
