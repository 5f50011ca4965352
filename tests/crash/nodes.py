"""Daemons that are killed with live calls: `python -m tests.crash.nodes --rounds 200`, or `make crash`."""

from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agentd.errors import LedgerDown
from agentd.ledger.row import Fact, Kind, Row, Told, Why
from agentd.ledger.storage.codec import Case
from agentd.ledger.storage.incidents import Which, find
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import Vault
from ops.bench import wire
from ops.bench.crowd import Act, Caller, Counts, Crowd
from tests.crash import phone
from tests.fakes import booking

ROOT: Final = Path(__file__).resolve().parents[2]
RATE: Final = 8000
CALLS: Final = 20
KEY: Final = "dGhlIGtleSBvZiB0aGVzZSB0ZXN0cywgMzIgYnl0ZXM="
SETTLE_S: Final = 30.0


class Node:
    """A daemon in a process of its own, on a ledger that others may share."""

    def __init__(self, folder: Path, ledger: str, office: str, secret: str) -> None:
        self.secret = secret
        settings = {
            "AGENTD_ENGINES_RECOGNIZER": "tests.crash.phone:recognizer",
            "AGENTD_ENGINES_THINKER": "tests.crash.phone:thinker",
            "AGENTD_ENGINES_VOICE": "ops.bench.stub:voice",
            "AGENTD_ENGINES_VAD": "ops.bench.stub:vad",
            "AGENTD_CALLS_OUT": str(folder),
            "AGENTD_CALLS_LIMIT": "100",
            "AGENTD_SAUTIKIT_SECRET": secret,
            "AGENTD_SAUTIKIT_RATE": str(RATE),
            "AGENTD_LEDGER_URL": ledger,
            "AGENTD_LEDGER_KEY": KEY,
            "OFFICE_URL": office,
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AGENTD_")}
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / f"log-{time.monotonic_ns()}").open("w")
        command = [sys.executable, "-m", "agentd", "serve", "--config", os.devnull, "--port", "0", "--flow", phone.__file__]
        self._process = subprocess.Popen(
            command, env=clean | settings, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, f"the daemon did not start: {Path(self._log.name).read_text()}"
        self.url, self.ready_at = found[0], time.monotonic()

    def signal(self, number: signal.Signals) -> None:
        """Kill it, stop it, or wake it."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self.close()

    def end(self) -> None:
        """TERM twice, and wait."""
        with suppress(ProcessLookupError):
            self._process.terminate()
            time.sleep(0.1)
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.close()

    def close(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@dataclass
class Tally:
    """What the rounds came to."""

    rounds: int = 0
    rows: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    left: int = 0
    """Rows that were not settled when their daemon died."""
    doubled: int = 0
    lost: int = 0
    unsettled: int = 0
    wrong: list[str] = field(default_factory=list)
    owned_s: float = 0.0
    settled_s: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.rows} rows {self.kinds}, {self.left} of them in the air when their daemon died: "
            f"{self.doubled} doubled, {self.lost} lost, {self.unsettled} unsettled, {len(self.wrong)} wrong; "
            f"every row owned {self.owned_s:.2f} s after ready, settled {self.settled_s:.2f} s after it, at most"
        )


# ── Callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def acts(chance: random.Random) -> Iterator[Act]:
    """What one caller says, without end; about every third sentence cuts the agent."""
    yield Act("quiet", wire.speech(RATE, chance.choice([phone.BOOK, phone.HOLD]), 10), 0.2 * chance.random())
    while True:
        word = chance.choice(
            [phone.BOOK, phone.HOLD, phone.YES, phone.YES, phone.TEXT, phone.CHARGE, phone.RETRACT, phone.REVISE, phone.CANCEL]
        )
        when, after = ("began", chance.uniform(0.05, 0.6)) if chance.random() < 0.35 else ("quiet", 0.1)
        yield Act(when, wire.speech(RATE, word, 12), after)  # type: ignore[arg-type]


def call(node: Node, crowd: Crowd, chance: random.Random, number: int = CALLS) -> None:
    """Place so many calls."""
    silence, counts = wire.silence(RATE), Counts()
    for _ in range(number):
        url, metadata = wire.stream_of(wire.ask(node.url, node.secret, f"crash-{secrets.token_hex(6)}"))
        stream = wire.open_socket(url)
        stream.send(wire.frame(wire.TEXT, metadata.encode()))
        crowd.add(Caller(stream, acts(chance), silence, counts, counted=False))


def talk(crowd: Crowd, seconds: float) -> None:
    """Let them talk for so long."""
    end = time.perf_counter() + seconds
    crowd.run(lambda now: now >= end)


# ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def settled(store: Store, since: float, tally: Tally) -> list[Case]:
    """Wait until every row is settled, or `SETTLE_S` after `since`; answers all cases."""
    owned = False
    while True:
        with suppress(LedgerDown):
            waiting = in_the_air(store)
            late = time.monotonic() - since
            if not owned and all(map(_begun, waiting)):
                owned, tally.owned_s = True, max(tally.owned_s, late)
            if not waiting or late > SETTLE_S:
                tally.settled_s = max(tally.settled_s, late)
                tally.owned_s = max(tally.owned_s, 0.0 if owned else late)
                return find(store, Which.ALL, limit=100_000)
        time.sleep(0.02)


def in_the_air(store: Store) -> list[Row]:
    """Effects that are not settled, and wait for no human; a notice waits for whoever calls back."""
    rows = (row for case in find(store, Which.UNSETTLED, limit=10_000) for row in case.rows)
    return [row for row in rows if not (row.settled or row.stuck or row.kind is Kind.NOTICE)]


def _begun(row: Row) -> bool:
    """Whether its verdict is given, and its next request on its way, where nothing else must come first."""
    return not row.open and (row.in_flight or bool(row.needs) or row.kind is Kind.TAKE_BACK)


def judge(cases: Sequence[Case], world: dict[str, dict[str, Any]], tally: Tally) -> None:
    """Hold the ledger against the world."""
    known: set[str] = set()
    for case in cases:
        undone = {row.of for row in case.rows if row.kind is Kind.TAKE_BACK and row.fact is Fact.THERE}
        noticed = {row.of for row in case.rows if row.kind is Kind.NOTICE}
        for row in case.rows:
            known.add(row.id)
            tally.rows += 1
            tally.kinds[row.kind] = tally.kinds.get(row.kind, 0) + 1
            tally.unsettled += not row.settled and row.kind is not Kind.NOTICE
            if row.kind in {Kind.NOTICE, Kind.TAKE_BACK}:
                continue
            at = world.get(row.id, {"net": 0, "state": "absent"})
            wants = row.kept and row.fact is not Fact.ABSENT and row.id not in undone
            tally.doubled += at["net"] > 1 or (at["net"] == 1 and not wants)
            tally.lost += wants and (at["net"] == 0 or (row.kind is Kind.HELD and at["state"] != "confirmed"))
            agreed = row.told is Told.TOLD or row.why in {Why.YES, Why.ASSENT, Why.PIVOT} or row.id in noticed
            if row.kept and not agreed:
                tally.wrong.append(f"kept without a reason: {row}")
            if row.kind is Kind.PIVOT and wants and row.why != Why.YES:
                tally.wrong.append(f"paid without a yes: {row}")
            if row.dropped and row.told is not Told.NO and not row.aware and row.id not in noticed:
                tally.wrong.append(f"told, not so, and nobody says so: {row}")
    tally.doubled += sum(effect not in known for effect, entry in world.items() if entry["net"])


def rounds(number: int, ledger: str, folder: Path, *, seed: int = 0) -> Tally:
    """Kill a daemon with live calls, start another on its ledger, and so on; the last one settles all."""
    chance, tally, secret = random.Random(seed), Tally(), secrets.token_hex(16)
    store = open_store(ledger, Vault((KEY,)))
    with booking.process() as office:
        node = Node(folder, ledger, office.url, secret)
        for _ in range(number):
            crowd = Crowd()
            call(node, crowd, chance)
            talk(crowd, chance.uniform(1.0, 5.0))
            node.kill()
            crowd.close()
            tally.left += len(in_the_air(store))
            tally.rounds += 1
            node = Node(folder, ledger, office.url, secret)
            settled(store, node.ready_at, tally)
        cases = settled(store, node.ready_at, tally)
        node.end()
        judge(cases, office.world(), tally)
    store.close()
    return tally


def main() -> int:
    """Exit code 0: nothing was doubled, lost, unsettled or wrong."""
    parser = argparse.ArgumentParser(description="Kill daemons with 20 live calls each, and see what becomes of their effects.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--ledger", default="", help="a ledger's URL; an SQLite file of its own without it")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crash-") as place:
        ledger = given.ledger or f"sqlite:///{place}/ledger.sqlite"
        tally = rounds(given.rounds, ledger, Path(place) / "calls", seed=given.seed)
    print(tally, *tally.wrong[:10], sep="\n")
    return int(bool(tally.doubled or tally.lost or tally.unsettled or tally.wrong))


if __name__ == "__main__":
    sys.exit(main())
