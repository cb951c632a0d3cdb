"""README is part of the product: every command, setting, rule and rung it names exists, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from app.cli import app
from app.operations.alerts import ALERTS
from app.settings import ROWS, variable
from app.system.failpoints import VARIABLE as FAILPOINTS
from benchmarks.__main__ import COMMANDS as BENCHMARKS
from benchmarks.faults.bars import BY_NAME
from solver.ladder.walk import RUNGS
from solver.rules import RULES
from solver.samples import PRESETS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def section(title: str) -> str:
    """The text of one `##` section."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
    assert match, f"README has no section {title!r}"
    return match[1]


def first_code_line(title: str) -> str:
    match = re.search(r"```(?:sh|console|bash)?\n(.+?)\n", section(title))
    assert match, f"section {title!r} has no code block"
    return match[1]


def test_every_command_in_readme_exists_with_its_options() -> None:
    used = re.findall(
        r"timetable ([a-z]+)((?: [^\n`|&;#]*)?)", "\n".join(re.findall(r"```.*?```|`[^`]+`", README, re.S))
    )
    assert used
    for name, rest in used:
        assert name in COMMANDS, f"`timetable {name}` does not exist"
        command, words = COMMANDS[name], rest.split()
        if hasattr(command, "commands"):  # a group: the next word names the command
            command = command.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest):
            assert option in known, f"`timetable {name}` has no option {option}"


def test_every_command_is_in_readme() -> None:
    for name in COMMANDS:
        assert f"timetable {name}" in README


def test_every_setting_in_readme_exists() -> None:
    known = {variable(name) for name in ROWS}
    known |= {alias for row in ROWS.values() for alias in row.aliases}
    named = set(re.findall(r"\bTIMETABLE_[A-Z_]+\b", README))
    assert named and named <= known | {FAILPOINTS}


def test_the_rung_table_is_the_ladder_in_its_order() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.+?) \|", section("The ladder"), re.M)
    assert table == [(rung.id, rung.promise) for rung in RUNGS]


def test_the_rule_table_is_the_rules_in_their_order_and_words() -> None:
    table = re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]+ \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", section("Rules"), re.M)
    assert table == [(rule.id, rule.tier, rule.unit, rule.name, rule.sentence) for rule in RULES]


def test_every_preset_is_in_readme_as_the_page_tells_it() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.+?) \|$", section("Data"), re.M)
    assert [row for row in table if row[0] in PRESETS] == list(PRESETS.items())


def test_the_run_and_test_lines_are_one_shell_line_each() -> None:
    run, test = first_code_line("Run"), first_code_line("Test")
    assert run.startswith("python3 -m venv .venv && ") and run.endswith("timetable demo")
    assert test.startswith("python3 -m venv .venv && ") and ".[test]" in test and test.endswith("pytest")


def test_ci_runs_the_test_line_of_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script and '-c "$test_line"' in script


def test_every_file_and_folder_that_readme_names_exists() -> None:
    for path in re.findall(r"`((?:solver|app|tests|benchmarks)/[\w./-]*)`", README):
        assert (ROOT / path).exists(), f"README names {path}, which does not exist"


def test_the_benchmarks_are_named_as_they_are_called() -> None:
    (named,) = re.findall(r"^benchmarks/ +python -m benchmarks (.+)$", README, re.M)
    assert named.split(" | ") == [name for name in BENCHMARKS if name != "one"]  # which run and compare use


def test_every_row_of_the_campaign_that_readme_names_exists() -> None:
    cells = re.findall(r"campaign ((?:`[a-z-]+`(?:, )?)+)", section("What happens when"))
    named = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)}
    assert named and named <= set(BY_NAME)


def test_the_runbook_has_a_place_for_every_alert_and_every_rule() -> None:
    headings = re.findall(r"^#{1,6} (.+)$", README, re.M)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    rules = (ROOT / "app" / "operations" / "alerts.rules.yml").read_text(encoding="utf-8")
    wanted = {alert.runbook for alert in ALERTS} | set(re.findall(r"runbook_url: (\S+)", rules))
    assert wanted and {link.removeprefix("README.md#") for link in wanted} <= anchors


def test_the_checklist_of_the_platform_is_whole_and_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", section("The platform's checklist"), re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 11))
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    for number, cell in rows:
        named = re.findall(r"`(test_\w+)`", cell)
        assert named and set(named) <= there, f"item {number}: {set(named) - there}"


def test_no_placeholder_is_left() -> None:
    assert "{{" not in README and "To come" not in README
