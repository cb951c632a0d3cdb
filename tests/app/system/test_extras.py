"""Extras: without them the service works on SQLite, and whatever needs one says which."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from app.cluster.worker import refusal
from app.commands import doctor
from app.operations import startup
from app.operations.integrity import check_dump
from app.settings import Settings, SettingsError
from app.store import StoreError
from app.system.extras import EXTRAS, OF_SETTINGS, is_here

ROOT = Path(__file__).parents[3]
PACKAGES = sorted({module for modules in EXTRAS.values() for module in modules})


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without extras: for importlib, None is a module that cannot be imported."""
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)


def test_the_extras_that_we_speak_of_are_those_that_can_be_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {*EXTRAS, "all", "test"} == set(project["optional-dependencies"])
    assert set(OF_SETTINGS.values()) <= set(EXTRAS) and set(OF_SETTINGS) <= set(Settings.model_fields)
    assert project["optional-dependencies"]["all"] == [f"timetable[{','.join(EXTRAS)}]"]


def test_here_is_all_that_the_tests_need_whether_it_was_imported_or_not() -> None:
    assert [extra for extra in EXTRAS if not is_here(extra)] == []
    for module in PACKAGES:
        importlib.import_module(module)
    assert [extra for extra in EXTRAS if not is_here(extra)] == []


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"database_url": "postgresql://h/x"},
            "TIMETABLE_DATABASE_URL needs the extra postgres: pip install 'timetable[postgres]'",
        ),
        (
            {"platform_redis_url": "redis://h", "platform_database_url": "postgresql://h/x"},
            "TIMETABLE_PLATFORM_DATABASE_URL needs the extra platform: pip install 'timetable[platform]'; "
            "TIMETABLE_PLATFORM_REDIS_URL needs the extra platform: pip install 'timetable[platform]'",
        ),
    ],
)
def test_a_setting_says_which_extra_it_needs(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings(**given)
    assert str(refused.value) == said


@pytest.mark.usefixtures("plain")
def test_whoever_needs_an_extra_without_a_setting_says_so_too(tmp_path: Path) -> None:
    assert refusal(Settings()) == "a worker needs the extra cluster: pip install 'timetable[cluster]'"
    with pytest.raises(StoreError, match=r"a dump of PostgreSQL, needs the extra postgres: pip install"):
        check_dump(tmp_path / "store.dump")


@pytest.mark.usefixtures("plain")
def test_doctor_lists_the_extras_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(startup, "CHECKS", tuple(check for check in startup.CHECKS if check.name == "extras"))
    assert doctor.run(Console(width=400), Settings(data_dir=tmp_path), "", as_json=False) == 0
    told = capsys.readouterr().out
    assert "none installed; postgres, cluster, platform, notify not, which no setting asks for" in told
    assert "to have what is not: pip install 'timetable[postgres,cluster,platform,notify]'" in told


@pytest.mark.usefixtures("plain")
def test_doctor_says_what_a_setting_lacks_beside_all_its_other_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(startup, "CHECKS", tuple(check for check in startup.CHECKS if check.name == "data folder"))
    env = {"TIMETABLE_DATA_DIR": str(tmp_path), "TIMETABLE_ALERT_URLS": "slack://A/B/C"}
    settings, lacking = Settings.with_what_is_here(env)
    assert lacking == "TIMETABLE_ALERT_URLS needs the extra notify: pip install 'timetable[notify]'"
    assert doctor.run(Console(width=400), settings, lacking, as_json=False) == 1
    told = capsys.readouterr().out
    assert lacking in told and str(tmp_path) in told


def test_without_any_extra_the_service_starts_and_solves(tmp_path: Path) -> None:
    """The demonstration is the real service with a real job. Every process of it finds the packages missing."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({PACKAGES!r}))\n", encoding="utf-8"
    )
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "demo", "--time-limit", "3"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stdout + done.stderr
