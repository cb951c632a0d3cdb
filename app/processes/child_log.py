"""
What a child or the forkserver has to say of an error outside of any attempt's end: one line of JSON on standard error.

Their standard error is that of the service, whose log goes there as one JSON document per line; a traceback of many
lines would be many broken ones. On a terminal it is a traceback as people know it.
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime

MOST = 16_000
"""Characters of a traceback."""


def tell_error(event: str) -> None:
    """Tells the exception that is being handled."""
    if sys.stderr.isatty():
        traceback.print_exc()
        return
    line = {
        "event": event,
        "level": "error",
        "logger": "timetable.child",
        "time": datetime.now(UTC).isoformat(),
        "exception": traceback.format_exc()[-MOST:],
    }
    print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201
