"""A dentist's calendar in SQLite, which fills itself: the next two weeks, the same on every machine for the same days.

Whatever is done stands under the key of the request that began it. The same key again gets the same answer, and what was let
go stays let go, even if the request that asks for it comes only then: so a caller who is cut off is never booked twice.

It lies in $ACME_DATA where that is set, else in the user's own folder among the temporary files.
`python -m flows.tools.calendar` prints what stands in it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from agentd.errors import ToolGone, ToolRefused
from agentd.flow import Context, Hold, Moment, SpokenName, SpokenTime

DAYS: Final = 14
"""How far ahead it knows."""

SLOT: Final = timedelta(minutes=30)
"""One appointment."""

HOLD: Final = timedelta(minutes=5)
"""So long an appointment is kept free for a caller who has not said yes yet."""

OFFERS: Final = 3
"""Free times that are named at once: nobody remembers more."""

TABLES: Final = """
CREATE TABLE IF NOT EXISTS appointments (start TEXT PRIMARY KEY, taken INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS done
    (key TEXT PRIMARY KEY, what TEXT NOT NULL, state TEXT NOT NULL, start TEXT, name TEXT, until TEXT);
"""
"""`taken` are others' appointments. What our callers did: `state` is held (until then), booked, done, gone or refused."""

FREE: Final = """
SELECT start FROM appointments WHERE NOT taken AND start NOT IN (SELECT start FROM done WHERE state IN ('held', 'booked'))
"""

Opening = Mapping[int, tuple[time, time]]
"""Each weekday's hours; 0 is Monday."""


class Calendar:
    """The calendar as a flow's tools use it; `opening` are the hours in which there are appointments."""

    def __init__(self, opening: Opening, path: Path | None = None) -> None:
        self._opening, self._path = opening, path

    # ── What is free ─────────────────────────────────────────────────────────────────────────────────────────────────

    def free(self, now: datetime) -> list[datetime]:
        """The free appointments after `now`, as naive local times in order."""
        with self._open(now) as database:
            rows = database.execute(f"{FREE} AND start > ? ORDER BY start", (_second(now),)).fetchall()
        return [datetime.fromisoformat(start) for (start,) in rows]

    def free_times(self, context: Context, wanted: SpokenTime) -> list[Moment]:
        """Up to three free appointments on the day that is wanted, the nearest to its time."""
        free = [Moment.at(start) for start in self.free(context.now)]
        if exact := [moment for moment in free if wanted.time and wanted.allows(moment)]:
            return exact
        day = [moment for moment in free if Moment(wanted.day, part=wanted.part).allows(moment)]
        if wanted.time:
            day.sort(key=lambda moment: abs(_minutes(moment) - _minutes(wanted)))
        return sorted(day[:OFFERS], key=_minutes)

    # ── An appointment: held, then confirmed or let go ───────────────────────────────────────────────────────────────

    def book(self, context: Context, when: SpokenTime, name: SpokenName) -> Hold:
        """Keep an appointment free until the caller has said yes or no."""
        with self._open(context.now) as database:
            if _state(database, context.key) is None:
                start = f"{when.day}T{when.time:%H:%M}" if when.time else ""
                free = database.execute(f"{FREE} AND start = ?", (start,)).fetchone()
                until = _second(context.now + HOLD)
                _put(database, context.key, "appointment", "held" if free else "refused", start, name, until)
            query = "SELECT state, until FROM done WHERE key = ?"
            state, until = database.execute(query, (context.key,)).fetchone()
        if state not in ("held", "booked"):
            raise ToolRefused("it is taken" if state == "refused" else "it was let go")
        return Hold(datetime.fromisoformat(until))

    def confirm(self, context: Context) -> None:
        """Make a hold an appointment."""
        with self._open(context.now) as database:
            if _state(database, context.effect) not in ("held", "booked"):
                raise ToolGone("the hold has ended")
            database.execute("UPDATE done SET state = 'booked' WHERE key = ?", (context.effect,))

    def cancel(self, context: Context) -> None:
        """Let a hold or an appointment go, for good: what comes later under its key finds it gone."""
        with self._open(context.now) as database:
            _put(database, context.effect, "appointment", "gone")

    undo = cancel

    def status(self, context: Context) -> str:
        """What became of an effect."""
        with self._open(context.now) as database:
            words = {"held": "there", "booked": "confirmed", "done": "there"}
            return words.get(_state(database, context.effect) or "", "absent")

    # ── A text and a deposit ─────────────────────────────────────────────────────────────────────────────────────────

    def text(self, context: Context, when: SpokenTime) -> None:
        """Send the confirmation to the number that calls; this calendar only notes that it would have."""
        if not context.call_from:
            raise ToolRefused("the caller's number is withheld")
        with self._open(context.now) as database:
            _put(database, context.key, "text", "done", str(when))

    def charge(self, context: Context) -> None:
        """Charge the deposit to the number that calls; this calendar only notes that it would have."""
        if not context.call_from:
            raise ToolRefused("the caller's number is withheld")
        with self._open(context.now) as database:
            _put(database, context.key, "deposit", "done")

    # ── The file ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def entries(self) -> list[tuple[str, str, str, str]]:
        """What stands: state, what, start (ISO 8601) and name of each, in the order of its time."""
        with self._open(None) as database:
            return database.execute(
                "SELECT state, what, coalesce(start, ''), coalesce(name, '') FROM done "
                "WHERE state NOT IN ('gone', 'refused') ORDER BY start, what"
            ).fetchall()

    @contextmanager
    def _open(self, now: datetime | None) -> Iterator[sqlite3.Connection]:
        """One transaction, alone at it: the calendar as it stands `now`, where that is known, with its past holds ended."""
        with closing(sqlite3.connect(self._path or place(), timeout=5)) as database, database:
            database.executescript(TABLES)
            database.execute("BEGIN IMMEDIATE")
            if now is not None:
                days = [now.date() + timedelta(ahead) for ahead in range(DAYS + 1)]
                database.executemany("INSERT OR IGNORE INTO appointments VALUES (?, ?)", _appointments(days, self._opening))
                database.execute("UPDATE done SET state = 'gone' WHERE state = 'held' AND until <= ?", (_second(now),))
            yield database


def place() -> Path:
    """The calendar's file; its folder is made."""
    folder = Path(os.environ.get("ACME_DATA") or Path(tempfile.gettempdir()) / f"agentd-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / "calendar.sqlite"


def _state(database: sqlite3.Connection, key: str) -> str | None:
    found = database.execute("SELECT state FROM done WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def _put(database: sqlite3.Connection, key: str, what: str, state: str, *more: str) -> None:
    """Note what stands under a key; `more`: start, name and until, as far as there are any."""
    database.execute(
        "INSERT INTO done VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET state = excluded.state",
        (key, what, state, *more, *(None,) * (3 - len(more))),
    )


def _second(at: datetime) -> str:
    """A local time to the second, as the tables have it: texts that sort as times do."""
    return f"{at:%Y-%m-%dT%H:%M:%S}"


def _minutes(moment: Moment) -> int:
    return moment.time.hour * 60 + moment.time.minute if moment.time else 0


def _appointments(days: list[date], opening: Opening) -> Iterator[tuple[str, bool]]:
    """Every appointment of those days; of three in a row two are taken, the one at ten never."""
    for day in days:
        if day.weekday() not in opening:
            continue
        first, end = (datetime.combine(day, hour) for hour in opening[day.weekday()])
        for number in range((end - first) // SLOT):
            start = first + number * SLOT
            yield f"{start:%Y-%m-%dT%H:%M}", (day.toordinal() + number) % 3 != 0 and start.time() != time(10)


if __name__ == "__main__":
    for state, what, start, name in Calendar({}).entries():
        print(f"{state:<7} {what:<12} {start or '-':<17} {name}".rstrip())
