"""Every setting with values that are of no use: a sentence, the same from `serve` and `doctor`, and no traceback."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app as command_line
from app.cluster.broker import celery_of
from app.operations.reports import Reports
from app.operations.startup import address_problem, examine, refusal
from app.platform import celery_task, redis_keys
from app.processes.children import tag_of
from app.settings import ROWS, Settings, SettingsError, variable
from app.store.manifests import folder_of
from app.store.tokens import Tokens

NUMBERS = ("x", "", "1,5", "nan", "inf", "-1e300", "9" * 400, "\udcff", "1 2")
TEXTS = (
    *("nonsense", "\udcff", "\x07", "~nobody-here/x", "/dev/null/x", "..", "://", "http://", "https://h:port/"),
    *(
        "a" * 6000,
        "https://me:secret@h/",
        "https://h/a b",
        "redis://h:port",
        "redis://h/one",
        "redis://h:0",
        "rediss:h",
    ),
    *("amqp://h:x", "postgresql://h:port/x", "postgresql://[h/x", "host=h nonsense", "'", "HS256", "whsec_short"),
    *("0.0.0.0/0", "[::1"),
)
IS_SECRET = {name: row.secret for name, row in ROWS.items()}
NEEDED = {
    "webhook_url": {"webhook_secrets": "whsec_" + "a" * 32},
    "platform_redis_url": {},
    "platform_broker_url": {"platform_celery": "inline"},
    "broker_url": {"queue": "celery", "database_url": "postgresql://h/x"},
}
"""What else makes a setting count."""


def named(given: dict[str, str]) -> dict[str, str]:
    return {variable(name): value for name, value in given.items()}


def kind_of(name: str) -> type:
    return type(getattr(Settings(), name))


def outcome(tmp_path: Path, name: str, value: str) -> str | None:
    """Why a service does not start, in words; None when it would, and then all that it starts with can be made."""
    given = {"data_dir": str(tmp_path / "data"), **NEEDED.get(name, {}), name: value}
    try:
        settings = Settings.from_environment(named(given))
    except SettingsError as error:
        return str(error)
    tag_of(settings.data_dir)
    problem = address_problem(settings.host, 0) if name == "host" else None
    findings = list(examine(settings, at_start=True)) if problem is None else []
    assert not [finding for finding in findings if "cannot be examined" in finding.found], findings
    problem = problem or refusal(findings)
    if problem is None:
        made(settings)
    return problem


def made(settings: Settings) -> None:
    """What a service makes of its settings before it answers the first request."""
    Reports(settings)
    Tokens(settings)
    folder_of(settings)
    if settings.platform_redis_url:
        redis_keys._client(settings)
    if settings.platform_celery != "off":
        celery_task._client(settings).connection_for_write()
    if settings.queue == "celery":
        celery_of(settings, waits=1.0).connection_for_write()


@pytest.mark.parametrize("name", list(ROWS))
def test_a_value_of_no_use_is_told_in_a_sentence_and_whatever_passes_can_be_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a relative path is made where the service is started
    for value in NUMBERS if kind_of(name) in (int, float) else TEXTS:
        said = outcome(tmp_path, name, value)
        if said is not None:
            assert "\n" not in said and "Traceback" not in said
            assert not IS_SECRET[name] or "secret@" not in said
            assert "None" not in said and "Errno" not in said, said


def refused() -> Iterator[tuple[str, str]]:
    """Values that must be refused, whatever else is set."""
    yield from ((name, "\udcff") for name in ROWS)
    yield from (("webhook_url", bad) for bad in ("nonsense", "http://h/", "https://", "https://h:port/", "ftp://h/"))
    yield from (("platform_callback_url", bad) for bad in ("nonsense", "://", "https://h:port/", "https://a:b@h/"))
    yield from (("platform_redis_url", bad) for bad in ("nonsense", "http://h", "redis://h:port", "redis://h/one"))
    for name in ("platform_broker_url", "broker_url"):
        yield from ((name, bad) for bad in ("nonsense", "http://h", "redis://h:port", "amqp://h:x//", "redis://h/one"))
    for name in ("database_url", "platform_database_url"):
        yield from ((name, bad) for bad in ("nonsense", "postgresql://h:port/x", "redis://h"))
    yield from (("webhook_secrets", bad) for bad in ("whsec_short", "\u0928"))


@pytest.mark.parametrize(("name", "value"), list(refused()))
def test_doctor_and_serve_refuse_alike(tmp_path: Path, name: str, value: str) -> None:
    environment = named({"data_dir": str(tmp_path), **NEEDED.get(name, {}), name: value})
    told = [CliRunner().invoke(command_line, [command], env=environment) for command in ("serve", "doctor")]
    assert [done.exit_code for done in told] == [2, 2]
    assert told[0].output == told[1].output
    assert variable(name) in told[0].output and "Traceback" not in told[0].output


def test_a_file_of_certificates_that_holds_none_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    for path, said in ((tmp_path / "none.pem", "No such file"), (tmp_path / "empty.pem", "holds no certificates")):
        problem = outcome(tmp_path, "platform_tls_ca", str(path))
        assert problem is not None and said in problem and "TIMETABLE_PLATFORM_TLS_CA" in problem


def test_infinity_is_no_number_of_seconds() -> None:
    with pytest.raises(SettingsError):
        Settings(solve_seconds=math.inf)
