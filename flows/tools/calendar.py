"""A dentist's calendar in SQLite, which fills itself: the next two weeks, the same on every machine for the same days.

It lies in $AGENTD_DATA where that is set, else in the user's own folder among the temporary files.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path

DAYS = 14
"""How far ahead it knows."""

SLOT = timedelta(minutes=30)
"""One appointment."""


def free(now: datetime, opening: Mapping[int, tuple[time, time]], path: Path | None = None) -> list[datetime]:
    """The free appointments after `now`, as naive local times in order. `opening`: each weekday's hours, 0 is Monday."""
    with closing(sqlite3.connect(path or place(), timeout=5)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS appointments (start TEXT PRIMARY KEY, taken INTEGER NOT NULL)")
        days = [now.date() + timedelta(ahead) for ahead in range(DAYS + 1)]
        database.executemany("INSERT OR IGNORE INTO appointments VALUES (?, ?)", _appointments(days, opening))
        rows = database.execute(
            "SELECT start FROM appointments WHERE NOT taken AND start > ? AND start < ? ORDER BY start",
            (f"{now:%Y-%m-%dT%H:%M}", f"{days[-1] + timedelta(1):%Y-%m-%d}"),
        ).fetchall()
    return [datetime.fromisoformat(start) for (start,) in rows]


def place() -> Path:
    """The calendar's file; its folder is made."""
    folder = Path(os.environ.get("AGENTD_DATA") or Path(tempfile.gettempdir()) / f"agentd-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / "calendar.sqlite"


def _appointments(days: list[date], opening: Mapping[int, tuple[time, time]]) -> Iterator[tuple[str, bool]]:
    """Every appointment of those days; of three in a row two are taken, Tuesdays at ten never."""
    for day in days:
        if day.weekday() not in opening:
            continue
        first, end = (datetime.combine(day, hour) for hour in opening[day.weekday()])
        for number in range((end - first) // SLOT):
            start = first + number * SLOT
            usual = day.weekday() == 1 and start.time() == time(10)
            yield f"{start:%Y-%m-%dT%H:%M}", (day.toordinal() + number) % 3 != 0 and not usual
