"""Documents are part of the product: what they name exists, none of it is missing, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import app
from app.http.access import ROUTES
from app.http.help_pages import DOCUMENTS, PICTURES, slug
from app.operations.alerts import ALERTS
from app.settings import ROWS, variable
from app.system.failpoints import VARIABLE as FAILPOINTS
from benchmarks.__main__ import COMMANDS as BENCHMARKS
from benchmarks.faults.bars import BY_NAME
from solver.ladder.walk import RUNGS
from solver.samples import PRESETS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "app" / "docs"
FILES = (
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    ROOT / "app" / "README.md",
    ROOT / "solver" / "README.md",
    ROOT / "benchmarks" / "README.md",
)
"""Everything that is written for people and held against the code."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


README = text_of(ROOT / "README.md")
ALL = "\n\n".join(text_of(path) for path in FILES)

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def section(title: str, path: Path = ROOT / "README.md") -> str:
    """The text of one `##` section."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text_of(path), re.M | re.S)
    assert match, f"{path.name} has no section {title!r}"
    return match[1]


def anchors(path: Path) -> set[str]:
    """Where a link into a document may lead."""
    outside_code = re.sub(r"^```.*?^```", "", text_of(path), flags=re.M | re.S)
    return {slug(heading) for heading in re.findall(r"^#{1,6} (.+)$", outside_code, re.M)}


def first_code_line(title: str) -> str:
    match = re.search(r"```(?:sh|console|bash)?\n(.+?)\n", section(title))
    assert match, f"section {title!r} has no code block"
    return match[1]


def test_every_command_in_a_document_exists_with_its_options() -> None:
    used = re.findall(r"timetable ([a-z]+)((?: [^\n`|&;#]*)?)", "\n".join(re.findall(r"```.*?```|`[^`]+`", ALL, re.S)))
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


def test_every_setting_in_a_document_exists() -> None:
    known = {variable(name) for name in ROWS}
    known |= {alias for row in ROWS.values() for alias in row.aliases}
    named = set(re.findall(r"\bTIMETABLE_[A-Z_]+\b", ALL))
    assert named and named <= known | {FAILPOINTS}


def test_the_rung_table_is_the_ladder_in_its_order() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.+?) \|", section("The ladder", DOCS / "rules.md"), re.M)
    assert table == [(rung.id, rung.promise) for rung in RUNGS]


def test_every_preset_is_in_the_documents_as_the_page_tells_it() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.+?) \|$", section("Samples", DOCS / "data.md"), re.M)
    assert [row for row in table if row[0] in PRESETS] == list(PRESETS.items())


def test_the_run_and_test_lines_are_one_shell_line_each() -> None:
    run, test = first_code_line("Run"), first_code_line("Test")
    assert run.startswith("python3 -m venv .venv && ") and run.endswith("timetable demo")
    assert test.startswith("python3 -m venv .venv && ") and ".[test]" in test and test.endswith("pytest")


def test_ci_runs_the_test_line_of_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script and '-c "$test_line"' in script


def test_readme_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) <= 150


def test_every_file_and_folder_that_a_document_names_exists() -> None:
    for path in re.findall(r"`((?:solver|app|tests|benchmarks)/[\w./-]*)`", ALL):
        assert (ROOT / path).exists(), f"a document names {path}, which does not exist"


def test_every_file_that_the_readme_of_the_service_names_exists() -> None:
    rooms = "|".join(path.name for path in (ROOT / "app").iterdir() if path.is_dir() and not path.name.startswith("_"))
    named = re.findall(rf"`((?:{rooms})/[\w./-]*)`", text_of(ROOT / "app" / "README.md"))
    assert len(named) > 30
    assert not [path for path in named if not (ROOT / "app" / path).exists()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text_of(path), flags=re.M | re.S)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{path.name}: {link}"


def test_help_shows_every_document_and_its_start_names_each() -> None:
    assert {path.stem for path in DOCS.glob("*.md")} == set(DOCUMENTS)
    assert {path.name for path in DOCS.iterdir() if path.suffix != ".md"} == PICTURES
    told = re.findall(r"^\| \[(.+?)\]\((\w+)\.md\)", section("Documents", DOCS / "index.md"), re.M)
    assert [(name, title) for title, name in told] == [row for row in DOCUMENTS.items() if row[0] != "index"]
    for name, title in DOCUMENTS.items():
        assert name == "index" or text_of(DOCS / f"{name}.md").startswith(f"# {title}\n")
        assert name == "index" or f"](app/docs/{name}.md)" in README


def test_every_metric_that_a_document_names_exists() -> None:
    metrics = text_of(ROOT / "app" / "operations" / "metrics.py")
    named = set(re.findall(r"`(timetable_[a-z_]+)`", text_of(DOCS / "operations.md")))
    assert len(named) > 5 and not [name for name in named if f'"{name}"' not in metrics]


def test_every_route_is_in_the_table_of_routes() -> None:
    """Siblings are written short: `/progress/{job_id}`, `/curve`."""
    table = section("Routes", DOCS / "api.md")
    for path in {route.split()[1] for route in ROUTES} - {"/", "/static/{path:path}"}:
        assert path in table or f"`/{path.rpartition('/')[2]}`" in table, path


def test_the_benchmarks_are_named_as_they_are_called() -> None:
    named = re.findall(r"^\| `([a-z]+)` \|", text_of(ROOT / "benchmarks" / "README.md"), re.M)
    assert named[: len(BENCHMARKS) - 1] == [name for name in BENCHMARKS if name != "one"]  # which run and compare use


def test_every_row_of_the_campaign_that_a_document_names_exists() -> None:
    cells = re.findall(r"campaign ((?:`[a-z-]+`(?:, )?)+)", text_of(DOCS / "failures.md"))
    named = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)}
    assert named and named <= set(BY_NAME)


def test_the_runbook_has_a_place_for_every_alert_and_every_rule() -> None:
    there = {f"app/docs/operations.md#{anchor}" for anchor in anchors(DOCS / "operations.md")}
    rules = (ROOT / "app" / "operations" / "alerts.rules.yml").read_text(encoding="utf-8")
    wanted = {alert.runbook for alert in ALERTS} | set(re.findall(r"runbook_url: (\S+)", rules))
    assert wanted and wanted <= there


def test_the_checklist_of_the_platform_is_whole_and_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", section("The platform's checklist", DOCS / "platform.md"), re.M)
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
    assert "{{" not in ALL and "To come" not in ALL
