"""What the ledger costs: a synced write beside the disk's own commit, and recovery and listing with many rows on file."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from agentd.ledger.row import Fact, Kind, Row, Told, Verdict
from agentd.ledger.storage import incidents
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.incidents import Which
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import open_vault
from ops.bench.results import Report, ms, percentile, say, spread

ROWS_A_CALL: Final = 4
ROUNDS: Final = 9
PAGE: Final = 4096
"""A bare commit: a page appended, and fdatasync. The ledger itself writes some six to ten."""

RENEW_S: Final = 1.0
"""As often the daemon renews, and puts what was written in its place."""


def main(*, quick: bool) -> int:
    """Both."""
    report = Report("ledger", "python -m ops.bench ledger" + (" --quick" if quick else ""))
    with tempfile.TemporaryDirectory(dir=Path.cwd(), suffix=".tmp") as folder:
        _writes(report, Path(folder) / "writes", 100 if quick else 1000)
        _many(report, Path(folder) / "many", 4_000 if quick else 100_000)
    return report.close()


def _open(folder: Path) -> Store:
    file = folder / "ledger.sqlite"
    return open_store(f"sqlite:///{file}", open_vault("", file))


def _call(number: int) -> CallFacts:
    return CallFacts(f"20261120-{number:09d}", "receptionist", "+15550142", "+15550100", time.time())


def _row(call: CallFacts, seq: int) -> Row:
    args = '{"name": "Jane Doe", "reason": "a check-up and a cleaning", "when": "2026-11-24T10:00:00+01:00"}'
    return Row(secrets.token_hex(16), call.id, seq, "book", Kind.HELD, args=args, identity=args, opened=time.time())


# ── One write ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _writes(report: Report, folder: Path, times: int) -> None:
    """Rounds of `times` each; what is judged is the median round, since other work on the disk spoils single ones."""
    say(f"ledger: {ROUNDS} rounds of {times} rows written, and written again, beside bare commits")
    with ExitStack() as stack:
        store = _open(folder)
        stack.callback(store.close)
        disk = os.open(folder / "disk", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        stack.callback(os.close, disk)
        rounds = [_round(store, disk, number * times, times) for number in range(ROUNDS)]
    for name, what in (("new", "a new row"), ("again", "a row written again")):
        p99, p50 = ([percentile(one[name], at) - percentile(one["disk"], at) for one in rounds] for at in (99, 50))
        added = percentile(p99, 50)
        spans = f"rounds {1000 * min(p99):.2f} to {1000 * max(p99):.2f}"
        words = f"{1000 * added:.2f} ms p99 ({spans}), {1000 * percentile(p50, 50):.2f} ms p50"
        report.add(f"{what}, synced − the disk's own commit", "≤ 0.5 ms p99", words, added <= 0.0005)
    report.details["rounds"] = [{name: spread(values) for name, values in one.items()} for one in rounds]


def _round(store: Store, disk: int, first: int, times: int) -> dict[str, list[float]]:
    """A new row, the same row once more, and a bare commit to the same disk, in turn."""
    taken: dict[str, list[float]] = {"new": [], "again": [], "disk": []}
    renewed = time.perf_counter()
    for number in range(first, first + times):
        call = _call(number // ROWS_A_CALL)
        row = _row(call, number % ROWS_A_CALL)
        taken["new"].append(_timed(partial(store.write, call, [row])))
        taken["again"].append(_timed(partial(store.write, call, [replace(row, fact=Fact.SENT)])))
        taken["disk"].append(_timed(partial(_commit, disk)))
        if time.perf_counter() - renewed > RENEW_S:
            store.renew()
            renewed = time.perf_counter()
    return taken


def _commit(disk: int) -> None:
    os.write(disk, bytes(PAGE))
    os.fdatasync(disk)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# ── Many rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _many(report: Report, folder: Path, rows: int) -> None:
    """So many rows of a process that died, one call in a hundred unsettled: the next process opens, recovers and lists."""
    calls = rows // ROWS_A_CALL
    say(f"ledger: {rows} rows on file, made first")
    dead = _open(folder)
    for number in range(calls):
        call = _call(number)
        unsettled = number % 100 == 0
        made = [_row(call, seq) for seq in range(ROWS_A_CALL)]
        dead.write(call, made if unsettled else [_kept(row) for row in made], ended=not unsettled)
    dead.close()
    taken: dict[str, float] = {}
    began = time.perf_counter()
    store = _open(folder)
    taken["open"] = time.perf_counter() - began
    works: dict[str, Callable[[], Any]] = {
        "take over": store.take_over,
        "list what is unsettled": lambda: incidents.find(store),
        "list the newest": lambda: incidents.find(store, Which.ALL),
        "count": lambda: incidents.census(store),
    }
    found = {}
    for name, work in works.items():
        began = time.perf_counter()
        found[name] = work()
        taken[name] = time.perf_counter() - began
    store.close()
    recovery, listing = taken["open"] + taken["take over"], max(taken[name] for name in works if name.startswith("list"))
    report.add(
        f"recovery with {rows} rows on file",
        "< 1 s",
        f"{ms(recovery)}, {len(found['take over'])} calls taken over",
        recovery < 1,
    )
    report.add(
        f"listing with {rows} rows on file", "< 1 s", f"{ms(listing)}, {len(found['list the newest'])} calls", listing < 1
    )
    report.details |= {f"{name}, {rows} rows": f"{ms(seconds)}" for name, seconds in taken.items()}


def _kept(row: Row) -> Row:
    return replace(row, fact=Fact.CONFIRMED, verdict=Verdict.KEEP, told=Told.TOLD, why="told")
