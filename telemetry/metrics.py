"""Counters, gauges and histograms, and their text for Prometheus: small enough to be ours.

One `Metrics` for the process, touched by the loop's thread alone. Names and meanings stand in `names.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from agentd.messages import RowChanged
from telemetry import names
from telemetry.effects import Rows
from telemetry.turns import ClaimNote, LedgerNote, RowNote, TellingNote, TurnRecord

Labels = tuple[tuple[str, str], ...]

SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""A caller notices 0.8 s and doubts us after 1.5 s: most of the buckets lie below."""

LATENESS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5)
"""One frame is 0.02 s; what is later than the lead of 0.1 s is heard."""


TELLINGS: Final = (0, 1, 2, 3, 4, 6, 8)
"""Once is as it should be; after two that are cut we ask whether to keep it, at most twice."""


class Value:
    """A counter or a gauge, with one value for each set of labels."""

    def __init__(self, name: str) -> None:
        self._name, self._values = name, dict[Labels, float]()

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Add to the value of these labels."""
        key = tuple(labels.items())
        self._values[key] = self._values.get(key, 0.0) + amount

    def put(self, value: float) -> None:
        """Let it be this, where it has no labels."""
        self._values[()] = value

    def lines(self) -> Iterator[str]:
        """Its samples as text."""
        for labels, value in sorted(self._values.items()):
            yield _sample(self._name, labels, value)


class Histogram:
    """Counts of observations up to each bound, with one set for each set of labels."""

    def __init__(self, name: str, bounds: tuple[float, ...]) -> None:
        self._name, self._bounds = name, bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, **labels: str) -> None:
        """Count one value."""
        key = tuple(labels.items())
        if key not in self._counts:
            self._counts[key], self._sums[key] = [0] * (len(self._bounds) + 1), 0.0
        self._counts[key][bisect_left(self._bounds, value)] += 1
        self._sums[key] += value

    def lines(self) -> Iterator[str]:
        """Its samples as text; buckets are cumulative."""
        for labels, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
                total += count
                yield _sample(
                    f"{self._name}_bucket", (*labels, ("le", "+Inf" if bound == float("inf") else f"{bound:g}")), total
                )
            yield _sample(f"{self._name}_sum", labels, self._sums[labels])
            yield _sample(f"{self._name}_count", labels, total)


class Metrics:
    """All that the process counts."""

    def __init__(self) -> None:
        self._gap = Histogram(names.M_GAP, SECONDS)
        self._stages = Histogram(names.M_STAGE, SECONDS)
        self._late = Histogram(names.M_LATE, LATENESS)
        self._live = Value(names.M_LIVE)
        self._live.add(0)
        self._calls = Value(names.M_CALLS)
        self._turns = Value(names.M_TURNS)
        self._barge_ins = Value(names.M_BARGE_INS)
        self._restarts = Value(names.M_RESTARTS)
        self._frames = Value(names.M_FRAMES)
        self._ring = Value(names.M_RING)
        self._holes = Value(names.M_HOLES)
        self._lost = Value(names.M_LOST)
        self._census = {
            name: Value(name)
            for name in (names.M_OPEN, names.M_UNSETTLED, names.M_STUCK, names.M_STUCK_AGE, names.M_OWED, names.M_OWED_AGE)
        }
        self._rolled_back = Value(names.M_ROLLED_BACK)
        self._averted = Value(names.M_AVERTED)
        self._tellings = Histogram(names.M_TELLINGS, TELLINGS)
        self._doubted = Value(names.M_DOUBTED)
        self._tombstones = Value(names.M_TOMBSTONES)
        self._claims = Value(names.M_CLAIMS)
        self._rows = Rows()

    def call_began(self) -> None:
        """One more call is live."""
        self._live.add(1)

    def call_ended(self, outcome: str) -> None:
        """A call has ended."""
        self._live.add(-1)
        self._calls.add(outcome=outcome)

    def turn(self, turn: TurnRecord) -> None:
        """A turn is over."""
        self._turns.add(why=turn.why)
        if turn.gap is not None:
            self._gap.observe(turn.gap.seconds)
            for stage, seconds in turn.gap.stages.items():
                self._stages.observe(seconds, stage=stage)
        for barge_in in turn.barge_ins:
            self._barge_ins.add(verdict=barge_in.verdict)
        for failure in turn.failures:
            if not failure.down:
                self._restarts.add(actor=failure.actor)
        self.notes(turn.ledger)

    def late(self, seconds: float) -> None:
        """Agent audio was sent so much later than it could have been: `MediaCounts.late`."""
        self._late.observe(seconds)

    def media(self, *, frames_in: int, frames_out: int, ring_dropped: int, holes: int) -> None:
        """What a call's media path counted since it was last told."""
        self._frames.add(frames_in, direction="in")
        self._frames.add(frames_out, direction="out")
        self._ring.add(ring_dropped)
        self._holes.add(holes)

    def lost(self, what: str, count: int = 1) -> None:
        """Telemetry was lost: `what` is span, entry or attribute."""
        self._lost.add(count, what=what)

    # ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────

    def notes(self, notes: Iterable[LedgerNote]) -> None:
        """What the ledger did in a call, each thing once."""
        for note in notes:
            match note:
                case RowNote(_, row, doubt):
                    self.rows((row,))
                    self._doubt(doubt)
                    if doubt and row.verdict == "keep":
                        self._averted.add(how="kept")
                case TellingNote(what="released", again=again, doubt=doubt):
                    self._doubt(doubt)
                    if again:
                        self._averted.add(how="told_again")
                case ClaimNote():
                    self._claims.add()

    def rows(self, changes: tuple[RowChanged, ...]) -> None:
        """Rows of the ledger changed, in a call or after it; what is told twice counts once."""
        for old, row in self._rows.fresh(changes):
            if _rolled_back(row) and not (old and _rolled_back(old)):
                self._rolled_back.add(cause=row.cause)
            if row.cause == "doubt" and not (old and old.cause):
                self._doubt("ended")
            if row.fact == "undoing" and old and old.fact == "sent":
                self._tombstones.add()

    def _doubt(self, cause: str | None) -> None:
        if cause:
            self._doubted.add(cause=cause)

    def tellings(self, counts: Iterable[int]) -> None:
        """A call is over; so often its caller was told of each effect."""
        for count in counts:
            self._tellings.observe(count)

    def ledger(self, *, open: int, unsettled: int, stuck: int, stuck_s: float, owed: int, owed_s: float) -> None:
        """How the ledger stands: rows without a verdict, unsettled, stuck, notices owed; ages of the oldest in seconds."""
        counts = (open, unsettled, stuck, stuck_s, owed, owed_s)
        for gauge, count in zip(self._census.values(), counts, strict=True):
            gauge.put(count)

    def render(self) -> str:
        """Everything, in the text format 0.0.4."""
        families: dict[str, Value | Histogram] = {
            names.M_GAP: self._gap,
            names.M_STAGE: self._stages,
            names.M_LIVE: self._live,
            names.M_CALLS: self._calls,
            names.M_TURNS: self._turns,
            names.M_BARGE_INS: self._barge_ins,
            names.M_RESTARTS: self._restarts,
            names.M_LATE: self._late,
            names.M_FRAMES: self._frames,
            names.M_RING: self._ring,
            names.M_HOLES: self._holes,
            **self._census,
            names.M_ROLLED_BACK: self._rolled_back,
            names.M_AVERTED: self._averted,
            names.M_TELLINGS: self._tellings,
            names.M_DOUBTED: self._doubted,
            names.M_TOMBSTONES: self._tombstones,
            names.M_CLAIMS: self._claims,
            names.M_LOST: self._lost,
        }
        lines = list[str]()
        for name, family in families.items():
            kind, meaning = names.TABLE[name]
            lines += (f"# HELP {name} {_escape(meaning)}", f"# TYPE {name} {kind}", *family.lines())
        return "\n".join(lines) + "\n"


def _rolled_back(row: RowChanged) -> bool:
    return row.verdict == "drop" and row.fact == "absent"


def _sample(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escape(text, quote=True)}"' for key, text in labels)
    return f"{name}{{{inside}}} {value:.12g}" if inside else f"{name} {value:.12g}"


def _escape(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quote else text
