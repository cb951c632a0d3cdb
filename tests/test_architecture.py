"""
The arrows of the house: who may import whom. An import inside a function counts like any other.

`LAYERS` lists the parts of `solver/` from the ground up; a part imports from lower layers only. The exceptions that
make the promise of independence (the verifier) stand on their own below. `ROOMS` lists the rooms of `app/` and the
arrows between them, all of which are there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "terms", "calendar", "zones"}),
    frozenset({"dates"}),
    frozenset({"records", "links"}),
    frozenset({"calendar_checks", "cohorts", "pairing", "places"}),
    frozenset({"checks"}),
    frozenset({"model"}),
    frozenset({"ranks"}),
    frozenset({"rules"}),
    frozenset({"control", "result", "labels"}),
    frozenset({"names"}),
    frozenset({"params", "context", "advice"}),
    frozenset({"verify", "compiled"}),
    frozenset({"diagnose"}),
    frozenset({"search", "formats", "samples"}),
    frozenset({"construct", "cpsat"}),
    frozenset({"ladder"}),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

ROOMS: Mapping[str, frozenset[str]] = {
    room: frozenset(below.split())
    for room, below in {
        "system": "",
        "domain": "",
        "settings": "system",
        "views": "domain",
        "store": "system domain settings",
        "processes": "system domain settings views store",
        "service": "system domain settings store processes",
        "operations": "system domain settings store processes",
        "http": "system domain settings views store processes service operations",
        "platform": "system domain settings store processes service",
        "cluster": "system domain settings store processes service operations",
        "commands": "system domain settings store operations",
        "main": "settings store processes service operations http platform cluster",
        "cli": "domain settings views processes commands http cluster main",
    }.items()
}
"""Each room of `app/`, and the files at its root, with all that they import from; `app/README.md` has the picture."""
MOST_STOREYS = 8
PURE = {"domain", "views"}
"""Rooms without I/O."""
OUTSIDE = {
    *("asyncio", "httpx", "logging", "os", "psutil", "psycopg", "redis", "socket", "sqlite3", "subprocess"),
    *("fastapi", "starlette", "uvicorn", "sqlalchemy", "celery"),
}
"""What a pure room imports nothing of."""
WEB = {"fastapi", "starlette", "uvicorn"}

FORBIDDEN_IN_SOLVER = {
    "app",
    "fastapi",
    "starlette",
    "uvicorn",
    "httpx",
    "sqlite3",
    "sqlalchemy",
    "psycopg",
    "typer",
    "rich",
    "logging",
}


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path, *, types: bool = False) -> Iterator[str]:
    """Dotted names of every module a file imports, wherever the import stands; with `types`, for types only as well."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [
        node
        for node in ast.walk(tree)
        if not types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    ignored = {id(inner) for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(path: Path, folder: str = "solver") -> str:
    """The part of `solver/`, or of another folder, that a file belongs to: its folder there, or its own name."""
    relative = path.relative_to(ROOT / folder)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def solver_parts(path: Path) -> set[str]:
    """Parts of `solver/` that a file imports from, were it for a type only."""
    names = (name.split(".") for name in imports(path, types=True) if name.startswith("solver."))
    return {parts[1] for parts in names if parts[1] in LEVEL}


@pytest.mark.parametrize("path", sources("solver"), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_part_of_the_solver_imports_only_from_layers_below(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    assert part in LEVEL, f"{part} has no place in LAYERS; give it one"
    upward = {other for other in solver_parts(path) if other != part and LEVEL[other] >= LEVEL[part]}
    assert not upward, f"{path.relative_to(ROOT)} reaches up to {sorted(upward)}"


def rooms_reached() -> dict[str, set[str]]:
    """Room -> the rooms that its files import from."""
    found: dict[str, set[str]] = {}
    for path in sources("app"):
        room = part_of(path, "app")
        names = (name.split(".") for name in imports(path) if name.startswith("app."))
        found.setdefault(room, set()).update(parts[1] for parts in names if parts[1] in ROOMS and parts[1] != room)
    return found


def test_the_rooms_of_the_service_and_the_arrows_between_them_are_those_of_the_table() -> None:
    found = rooms_reached()
    assert found.keys() - {"__init__"} == ROOMS.keys()
    assert {room: frozenset(found[room]) for room in ROOMS} == ROOMS


def test_the_picture_in_the_readme_of_the_service_is_the_table() -> None:
    text = (ROOT / "app" / "README.md").read_text(encoding="utf-8")
    picture = text.partition("<!-- rooms -->")[2].partition("<!-- /rooms -->")[0].strip().strip("`").strip()
    drawn = [line.partition(" ->")[::2] for line in picture.splitlines()]
    assert {room: frozenset(below.replace(",", " ").split()) for room, below in drawn} == ROOMS


def test_the_service_has_few_storeys() -> None:
    storeys: dict[str, int] = {}
    for room in TopologicalSorter(ROOMS).static_order():
        storeys[room] = 1 + max((storeys[below] for below in ROOMS[room]), default=0)
    assert max(storeys.values()) <= MOST_STOREYS


@pytest.mark.parametrize("path", sources("app"), ids=lambda p: str(p.relative_to(ROOT)))
def test_io_and_the_web_stay_in_their_rooms(path: Path) -> None:
    room, roots = part_of(path, "app"), {name.split(".")[0] for name in imports(path)}
    if room in PURE:
        assert not roots & OUTSIDE
    if room not in {"http", "main"}:
        assert not roots & WEB


def test_no_file_is_reached_again_by_what_it_imports() -> None:
    files = {module_of(path): path for folder in ("solver", "app") for path in sources(folder)}
    arrows = {module: set(imports(path)) & files.keys() for module, path in files.items()}
    for reached in arrows.values():  # `from package import part` is an arrow to the part
        reached -= {other.rpartition(".")[0] for other in reached}
    TopologicalSorter(arrows).prepare()


@pytest.mark.parametrize("path", sources("solver"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_solver_knows_no_service_no_database_and_no_screen(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & FORBIDDEN_IN_SOLVER


@pytest.mark.parametrize("part", ["verify", "diagnose"])
def test_the_verifier_shares_no_code_with_what_it_checks(part: str) -> None:
    for path in sources("solver"):
        if part_of(path) == part:
            assert not solver_parts(path) & {"compiled", "construct", "search", "cpsat", "ladder"}, path


def test_only_the_cpsat_folder_touches_cp_sat() -> None:
    users = {part_of(path) for path in sources("solver") if any(name.startswith("ortools") for name in imports(path))}
    assert users == {"cpsat"}


def test_the_top_level_holds_what_was_agreed_and_nothing_else() -> None:
    agreed = {
        "pyproject.toml",
        "README.md",
        "Dockerfile",
        "LICENSE",
        "app",
        "solver",
        "tests",
        "benchmarks",
        "findings",
    }
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    produced = {name for name in found if name.endswith(".egg-info") or name in {"build", "dist", "__pycache__"}}
    assert found - produced <= agreed
