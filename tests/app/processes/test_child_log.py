"""Errors that a child or the forkserver tells beside any attempt."""

from __future__ import annotations

import json

import pytest

from app.processes.child_log import tell_error


def test_an_error_is_one_line_of_json_where_nobody_sits_at_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError("on\npurpose")
    except RuntimeError:
        tell_error("it went wrong")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("it went wrong", "error")
    assert told["exception"].startswith("Traceback") and told["exception"].endswith("purpose\n")
