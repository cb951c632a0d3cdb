"""The commands `timetable keys ...`: making, listing and revoking API keys of the data folder in use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from app.domain.callers import Scope
from app.operations.audit import record_key_change
from app.settings import Settings, SettingsError
from app.store.api_keys import Key, KeyFile, KeysDamaged, key_view

ID_WIDTH = 12
PIPED_WIDTH = 1_000
EXIT_OUR_FAULT, EXIT_BAD_INPUT = 1, 2

commands = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")
_err = Console(stderr=True)


@commands.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="who uses the key, for people")],
    scope: Annotated[list[Scope], typer.Option(help="a right; repeat for several; admin holds all others")],
    days: Annotated[float | None, typer.Option(min=0.0, max=36_500.0, help="days until it expires; never")] = None,
    organisation: Annotated[
        list[str] | None,
        typer.Option(help="sees and touches only jobs of this organization_id; repeat for other spellings; all"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document, the key included")] = False,
) -> None:
    """Make a key and print it once."""
    try:
        key, text = _file().add(name, scope, days, organisation or None)
    except ValueError as error:
        _fail(str(error), EXIT_BAD_INPUT)
    except (KeysDamaged, OSError) as error:
        _fail(str(error), EXIT_OUR_FAULT)
    if as_json:
        typer.echo(json.dumps({**key_view(key, None), "key": text}, ensure_ascii=False))
        return
    _err.print(
        f"key {key.id} for {key.name!r} with {', '.join(key.scopes)}{_bound_to(key)}; it is not shown again:",
        markup=False,
        soft_wrap=True,
    )
    typer.echo(text)


@commands.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False) -> None:
    """List all keys with their rights and last use."""
    file = _file()
    try:
        keys, uses = file.all(), file.uses()
    except KeysDamaged as error:
        _fail(str(error), EXIT_OUR_FAULT)
    views = [key_view(key, uses.get(key.id)) for key in keys]
    if as_json:
        typer.echo(json.dumps({"keys": views}, ensure_ascii=False))
        return
    table = Table()
    for column in ("id", "name", "rights", "organisations", "state", "made", "expires", "last used"):
        table.add_column(
            column, overflow="fold", no_wrap=column == "id", min_width=ID_WIDTH if column == "id" else None
        )
    for view in views:
        times = (_day(view[name]) for name in ("created_at", "expires_at", "last_used_at"))
        bound = "all" if view["organisations"] is None else ", ".join(view["organisations"])
        table.add_row(view["id"], view["name"], ", ".join(view["scopes"]), bound, view["state"], *times)
    console = Console()
    if not console.is_terminal:  # piped: there is no width to fit into, and whoever reads it wants whole lines
        console = Console(width=PIPED_WIDTH)
    console.print(table)


@commands.command("revoke")
def revoke_command(id: Annotated[str, typer.Argument(help="id of the key, as `keys list` shows it")]) -> None:
    """Revoke a key at once; a running service notices within a second."""
    try:
        key = _file().revoke(id)
    except (KeysDamaged, OSError) as error:
        _fail(str(error), EXIT_OUR_FAULT)
    if key is None:
        _fail(f"there is no key {id!r}; `timetable keys list` shows all", EXIT_BAD_INPUT)
    typer.echo(f"key {key.id} of {key.name!r} is revoked")


def _file() -> KeyFile:
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        _fail(str(error), EXIT_BAD_INPUT)

    def record(action: str, key: Key) -> None:
        record_key_change(
            settings.data_dir, action, key.id, "begun", scopes=list(key.scopes), organisations=key.organisations
        )

    return KeyFile(settings.keys_folder, record)


def _bound_to(key: Key) -> str:
    return "" if key.organisations is None else f" in {', '.join(key.organisations)}"


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _fail(message: str, code: int) -> NoReturn:
    _err.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)
