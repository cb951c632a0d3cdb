"""The key as the password of an address, for callers that send no header of their own."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

import httpx
import pytest

from app.domain.callers import Scope
from app.main import create_app
from app.settings import Settings
from app.store.api_keys import KeyFile

pytestmark = pytest.mark.anyio
SCOPES = (Scope.READ, Scope.SUBMIT, Scope.CANCEL)


def service(folder: Path, **given: int) -> httpx.ASGITransport:
    """The layers of the whole application; nothing is started, so only what they refuse or answer is of interest."""
    return httpx.ASGITransport(create_app(Settings(data_dir=folder, **given)), raise_app_exceptions=False)


def basic(credentials: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


@pytest.mark.parametrize("user", ["platform", "", "any:body"])
async def test_a_key_is_taken_as_the_password_of_an_address(tmp_path: Path, user: str) -> None:
    _, text = KeyFile(tmp_path).add("platform", SCOPES)
    address = f"http://{user.replace(':', '%3A')}:{text}@service"
    async with httpx.AsyncClient(transport=service(tmp_path), base_url=address) as client:
        # A colon ends the name of the user, so a name with one makes the key another one.
        assert (await client.get("/openapi.json")).status_code == (401 if ":" in user else 200)


@pytest.mark.parametrize(
    "credentials", [b"", b":", b"platform", b"platform:", b"KEY:", b"KEY", b"platform:KEYx", b"\xff\x00:\xfe" * 9000]
)
async def test_what_is_no_key_in_the_password_is_a_401(tmp_path: Path, credentials: bytes) -> None:
    _, text = KeyFile(tmp_path).add("platform", SCOPES)
    async with httpx.AsyncClient(transport=service(tmp_path), base_url="http://service") as client:
        for headers in (basic(credentials.replace(b"KEY", text.encode())), {"Authorization": "Basic no-base64!"}):
            answer = await client.get("/openapi.json", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "no_key")
            assert "basic" not in answer.headers["www-authenticate"].lower(), "a browser would open a window"


async def test_a_key_in_the_address_is_counted_and_audited_like_any_other_and_never_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, text = KeyFile(tmp_path).add("platform", SCOPES, organisations=("BHU",))
    caplog.set_level(logging.DEBUG)
    transport = service(tmp_path, reads_per_minute=2)
    async with (
        httpx.AsyncClient(transport=transport, base_url=f"http://platform:{text}@service") as by_address,
        httpx.AsyncClient(transport=transport, base_url="http://service", headers={"X-API-Key": text}) as by_header,
    ):
        codes = [(await client.get("/openapi.json")).status_code for client in (by_address, by_header, by_address)]
        assert codes == [200, 200, 429], "they share one allowance"
        refused = await by_address.delete("/jobs/j1")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        elsewhere = await by_address.get("/preview", params={"organization_id": "another"})
        assert elsewhere.status_code == 403, "it is bound like any other"
    audited = [record for record in caplog.records if record.name == "timetable.audit"]
    assert [record.__dict__["key"] for record in audited] == [key.id, key.id]
    told = json.dumps([str(record.__dict__) for record in caplog.records if record.name.startswith("timetable")])
    assert text not in told and base64.b64encode(f"platform:{text}".encode()).decode() not in told
