"""What stands in the files of `app/deploy/` agrees with the program: settings, commands, limits, names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli import app
from app.http.server import GRACEFUL_SECONDS
from app.settings import ROWS, Settings, variable
from tests.deploy.rig import FILES, ROOT

COMPOSE = FILES / "compose.yml"
UNITS = sorted((FILES / "systemd").iterdir())
SETTINGS = {variable(name) for name in ROWS}
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
WITHOUT_SECRETS = {"", "postgresql://timetable:@postgres:5432/timetable", "redis://:@redis:6379/0"}
END_SECONDS = 10
"""`app/docs/operations.md` says that an orderly end takes no longer."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return found


def unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """Sections of a unit; a name may stand there more than once."""
    parsed: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = parsed.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            section.setdefault(name, []).append(value)
    return parsed


@pytest.mark.parametrize("path", [path for path in FILES.rglob("*") if path.is_file()], ids=lambda path: path.name)
def test_every_file_names_existing_settings_and_is_shipped(path: Path) -> None:
    named = set(re.findall(r"\bTIMETABLE_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    assert named <= SETTINGS
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    inside = path.relative_to(FILES).as_posix()
    assert any(fnmatch(inside, pattern) for pattern in (*shipped["*"], *shipped["app.deploy"]))


def test_every_command_that_is_started_exists_with_its_options(compose: dict[str, Any]) -> None:
    started = [one["command"] for one in compose["services"].values() if "timetable" in one.get("command", ())]
    started += [unit(path)["Service"]["ExecStart"][0].split() for path in UNITS]
    image = re.findall(r"^CMD \[(.+)\]$", (ROOT / "Dockerfile").read_text(), re.M)[-1]
    started += [[word.strip(' "') for word in image.split(",")]]
    assert len(started) == 6
    for program, name, *words in started:
        assert Path(program).name == "timetable"
        assert name in COMMANDS
        known = {option for parameter in getattr(COMMANDS.get(name), "params", ()) for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_every_image_is_pinned_and_ours_is_this_version(compose: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, one in compose["services"].items():
        image, _, tag = one["image"].partition(":")
        assert re.match(r"v?\d+\.\d+(\.\d+)?(-\w+)?$", tag), name
        assert "timetable" not in image or tag == version


def test_everything_that_listens_has_a_health_check_and_no_restart_goes_on_for_ever(compose: dict[str, Any]) -> None:
    for name, one in compose["services"].items():
        assert one["restart"].startswith("on-failure:"), name
        assert {"test", "interval", "timeout", "retries"} <= one["healthcheck"].keys(), name


def test_no_secret_stands_in_the_files_or_gets_into_the_image(compose: dict[str, Any]) -> None:
    for one in compose["services"].values():
        for name, value in one.get("environment", {}).items():
            if "PASSWORD" in name or "AUTH" in name or "URL" in name:
                assert re.search(r"\$\{\w+_PASSWORD:\?", value), name
                assert re.sub(r"\$\{[^}]*\}", "", value) in WITHOUT_SECRETS, name
    assert {"**/.env", "**/*.key"} <= set((ROOT / ".dockerignore").read_text().splitlines())
    ignored = subprocess.run(["git", "check-ignore", "-q", "app/deploy/.env", "app/deploy/prometheus.key"], cwd=ROOT)
    assert ignored.returncode in (0, 128)  # 128: this is no repository


def test_only_this_machine_reaches_what_is_published_and_the_store_has_no_way_out(compose: dict[str, Any]) -> None:
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}
    assert published == {"nginx": ["127.0.0.1:8080:8080"], "prometheus": ["127.0.0.1:9090:9090"]}
    assert compose["networks"]["back"]["internal"]
    assert all(compose["services"][name]["networks"] == ["back"] for name in ("postgres", "redis"))


def test_the_services_believe_the_nginx_of_the_same_file(compose: dict[str, Any]) -> None:
    services = compose["services"]
    believed = services["service"]["environment"]["TIMETABLE_TRUSTED_PROXIES"]
    assert services["nginx"]["networks"]["front"]["ipv4_address"] == believed
    assert Settings(trusted_proxies=believed).proxies == (believed,)
    given = services["nginx"]["environment"]
    assert {given["PRIMARY"], given["BACKUP"]} == {f"{name}:{Settings().port}" for name in ("service", "standby")}
    shared = services["service"]["environment"]["TIMETABLE_KEYS_DIR"]
    assert all(f"keys:{shared}" in services[name]["volumes"] for name in ("service", "standby", "worker"))
    assert shared in (ROOT / "Dockerfile").read_text()


def test_files_that_compose_mounts_are_there_and_volumes_are_declared(compose: dict[str, Any]) -> None:
    for one in compose["services"].values():
        for mount in one.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (FILES / source).exists() or source == "./prometheus.key"
            else:
                assert source in compose["volumes"]


def test_prometheus_asks_each_service_under_the_name_that_the_rules_use(compose: dict[str, Any]) -> None:
    scrape, workers = yaml.safe_load((FILES / "prometheus.yml").read_text())["scrape_configs"]
    rules = (ROOT / "app" / "operations" / "alerts.rules.yml").read_text()
    named = {name for text in re.findall(r'job=~?"([\w|]+)"', rules) for name in text.split("|")}
    assert named == {scrape["job_name"], workers["job_name"]}
    (targets,) = (one["targets"] for one in scrape["static_configs"])
    assert targets == [f"{name}:{Settings().port}" for name in ("service", "standby")]
    ((port, names),) = ((found["port"], found["names"]) for found in workers["dns_sd_configs"])
    worker = compose["services"]["worker"]
    assert (names, str(port)) == (["worker"], worker["environment"]["TIMETABLE_WORKER_PORT"])
    assert f":{port}/health/live" in worker["healthcheck"]["test"][-1]
    assert workers["job_name"] != scrape["job_name"] and workers["authorization"] == scrape["authorization"]
    mounted = {mount.split(":")[1] for mount in compose["services"]["prometheus"]["volumes"]}
    assert {f"/etc/prometheus/{name}" for name in ("prometheus.yml", "alerts.rules.yml", "timetable.key")} <= mounted


def test_whoever_ends_a_service_waits_for_its_orderly_end(compose: dict[str, Any]) -> None:
    assert GRACEFUL_SECONDS < END_SECONDS
    for name in ("service", "standby", "worker"):
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) > END_SECONDS
    for path in UNITS:
        assert int(unit(path)["Service"]["TimeoutStopSec"][0]) > END_SECONDS


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_ends_its_children_with_it_and_gives_up_after_some_starts(path: Path) -> None:
    given = unit(path)
    assert given["Service"]["KillMode"] == ["mixed"]
    assert given["Service"]["OOMPolicy"] == ["continue"]
    assert given["Service"]["Restart"] == ["on-failure"]
    assert 0 < int(given["Unit"]["StartLimitBurst"][0]) <= 10
    # Starts that fail at once have to fall into the interval, or they would never be counted as too many.
    apart = int(given["Service"]["RestartSec"][0]) + END_SECONDS
    assert int(given["Unit"]["StartLimitIntervalSec"][0]) > int(given["Unit"]["StartLimitBurst"][0]) * apart


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_a_unit_and_finds_it_guarded(path: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here; what stands in the units was read by the test above")
    copy = tmp_path / path.name.replace("@.", "@8001.")
    copy.write_text(
        path.read_text().replace("/opt/timetable/bin/timetable", sys.executable)
    )  # it is not installed here
    words = {"verify": ["--man=no"], "security": ["--offline=yes", "--threshold=20", "--no-pager"]}
    for verb, options in words.items():
        done = subprocess.run([analyze, verb, *options, str(copy)], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(copy) not in done.stderr, done.stderr
