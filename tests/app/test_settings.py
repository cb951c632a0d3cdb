from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.doctor import describe
from app.settings import ROWS, Settings, SettingsError, default_data_dir, unknown_variables
from tests.app.platform.conftest import KEY


def test_without_any_variable_every_setting_has_its_documented_default() -> None:
    settings = Settings.from_environment({})
    assert (settings.port, settings.num_variants, settings.solve_seconds) == (8001, 3, 300.0)
    assert (settings.max_courses, settings.max_faculty, settings.max_rooms) == (500, 300, 200)
    assert (settings.context_seconds, settings.first_answer_seconds, settings.stalled_after_seconds) == (120, 60, 120)
    assert (settings.max_attempts, settings.retry_wait_seconds, settings.poll_seconds) == (3, 5, 2)
    assert (settings.alarm_cpu_percent, settings.alarm_memory_percent, settings.alarm_disk_percent) == (80, 85, 90)
    assert settings.quality_threshold == 0.8
    assert settings.slots >= 1


def test_a_variable_sets_its_setting_in_the_right_type() -> None:
    env = {"TIMETABLE_PORT": " 9000 ", "TIMETABLE_CONTEXT_SECONDS": "7.5", "TIMETABLE_DATA_DIR": "~/jobs"}
    settings = Settings.from_environment(env)
    assert settings.port == 9000
    assert settings.context_seconds == 7.5
    assert settings.data_dir == Path("~/jobs").expanduser()


@pytest.mark.parametrize(
    ("alias", "field"),
    [
        ("MAX_COURSES", "max_courses"),
        ("MAX_FACULTY", "max_faculty"),
        ("MAX_ROOMS", "max_rooms"),
        ("CONTEXT_TIMEOUT", "context_seconds"),
    ],
)
def test_the_names_of_the_failure_guide_work_and_the_prefixed_name_wins(alias: str, field: str) -> None:
    assert getattr(Settings.from_environment({alias: "77"}), field) == 77
    both = {alias: "77", f"TIMETABLE_{field.upper()}": "88"}
    assert getattr(Settings.from_environment(both), field) == 88


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_environment({"TIMETABLE_PORT": "", "MAX_COURSES": "  "}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TIMETABLE_PORT", "eighty", "a whole number from 0 to 65535"),
        ("TIMETABLE_PORT", "70000", "a whole number from 0 to 65535"),
        ("TIMETABLE_SLOTS", "0", "a whole number from 1 to 256 (children)"),
        ("TIMETABLE_SLOTS", "1.5", "a whole number"),
        ("TIMETABLE_SOLVE_SECONDS", "nan", "a number from 1 to 86400 (s)"),
        ("TIMETABLE_SOLVE_SECONDS", "inf", "a number"),
        ("TIMETABLE_QUALITY_THRESHOLD", "80", "a number from 0 to 1 (share)"),
        ("MAX_COURSES", "-3", "a whole number from 1"),
    ],
)
def test_a_bad_value_names_the_variable_the_value_and_what_is_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    assert f"{name}={value!r}: expected {expected}" in str(caught.value)


def test_all_bad_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"TIMETABLE_PORT": "x", "TIMETABLE_SLOTS": "y"})
    assert "TIMETABLE_PORT" in str(caught.value)
    assert "TIMETABLE_SLOTS" in str(caught.value)


def test_settings_given_by_hand_are_checked_too_and_win_over_the_environment() -> None:
    assert Settings.from_environment({"TIMETABLE_PORT": "9000"}, port=0).port == 0
    with pytest.raises(SettingsError, match="TIMETABLE_SLOTS=0"):
        Settings(slots=0)


def test_a_default_above_its_own_maximum_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"TIMETABLE_SOLVE_SECONDS=60\.0: expected at most TIMETABLE_MAX_SOLVE_SECONDS"
    ):
        Settings(solve_seconds=60.0, max_solve_seconds=30.0)


def test_describe_says_where_each_value_came_from() -> None:
    env = {"MAX_COURSES": "77", "TIMETABLE_SLOTS": "2"}
    rows = {row.name: row for row in describe(Settings.from_environment(env, port=0), env)}
    assert rows["max_courses"].source == "MAX_COURSES"
    assert rows["max_courses"].value == 77
    assert rows["max_courses"].default == 500
    assert rows["slots"].source == "TIMETABLE_SLOTS"
    assert rows["port"].source == "given"
    assert rows["host"].source == "default"
    assert list(rows) == list(ROWS)
    assert all(row.help for row in rows.values())


def test_a_mistyped_variable_is_found_with_the_name_that_was_meant() -> None:
    assert unknown_variables({"TIMETABLE_SLOT": "2", "PATH": "/bin"}) == {"TIMETABLE_SLOT": "TIMETABLE_SLOTS"}


def test_the_data_folder_is_a_user_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "timetable"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / ".local" / "share" / "timetable"


@pytest.mark.parametrize("proxies", ["*", "nginx", "10.0.0.0/99", "10.0.0.1/8", "0.0.0.0/0", "::/0", "127.0.0.1, all"])
def test_a_proxy_that_is_trusted_is_an_address_or_a_network_and_never_everybody(proxies: str) -> None:
    with pytest.raises(SettingsError, match=r"TIMETABLE_TRUSTED_PROXIES: .* is not the address or network of a proxy"):
        Settings(trusted_proxies=proxies)


def test_proxies_are_separated_by_commas() -> None:
    assert Settings(trusted_proxies=" 127.0.0.1,10.1.0.0/16 , ::1,").proxies == ("127.0.0.1", "10.1.0.0/16", "::1")


def test_a_queue_on_celery_needs_a_database_and_a_broker_that_it_knows() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(queue="celery")
    assert "TIMETABLE_QUEUE needs TIMETABLE_DATABASE_URL; TIMETABLE_QUEUE needs TIMETABLE_BROKER_URL" in str(
        caught.value
    )
    with pytest.raises(SettingsError) as caught:
        Settings(broker_url="sqs://user:secret@host")
    assert "TIMETABLE_BROKER_URL: expected an address that begins with redis://" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(SettingsError, match="expected one of embedded, celery"):
        Settings(queue="threads")


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"platform_source": "yes"}, "TIMETABLE_PLATFORM_SOURCE needs TIMETABLE_PLATFORM_DATABASE_URL"),
        ({"platform_update": "yes"}, "TIMETABLE_PLATFORM_UPDATE needs TIMETABLE_PLATFORM_DATABASE_URL"),
        ({"platform_celery": "inline"}, "TIMETABLE_PLATFORM_CELERY needs TIMETABLE_PLATFORM_BROKER_URL"),
        (
            {"platform_celery": "committed", "platform_broker_url": "redis://h"},
            "TIMETABLE_PLATFORM_CELERY needs TIMETABLE_PLATFORM_UPDATE",
        ),
        ({"webhook_url": "https://h/"}, "TIMETABLE_WEBHOOK_URL needs TIMETABLE_WEBHOOK_SECRETS"),
    ],
)
def test_a_setting_that_is_of_no_use_alone_is_refused(given: dict[str, str], needed: str) -> None:
    with pytest.raises(SettingsError, match=needed):
        Settings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"webhook_url": "http://hush/", "webhook_secrets": KEY}, "TIMETABLE_WEBHOOK_URL: it is no https address"),
        ({"webhook_url": "https://h/", "webhook_secrets": "hush!"}, "TIMETABLE_WEBHOOK_SECRETS: a key is no base64"),
        ({"platform_callback_url": "gopher://hush/"}, "TIMETABLE_PLATFORM_CALLBACK_URL: it is no http"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start_and_not_quoted(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        Settings(**given)  # type: ignore[arg-type]
    assert "hush" not in str(refused.value)
