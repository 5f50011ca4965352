"""What the ledger did in a call, from its event log: rows that changed, what became of tellings, claims that were stopped.

A note is made only of what is new: a row that was written again with the same columns, and a ledger that is still down, say
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from agentd.messages import (
    ClaimStopped,
    LedgerDown,
    LedgerMoved,
    Logged,
    Mode,
    Release,
    RoundDone,
    RowChanged,
    Segment,
    TakeBack,
    TellingCut,
    TellingDue,
    TellingPlayed,
    TellingRefused,
    ToolDone,
    UseTool,
)
from telemetry.turns import ClaimNote, Doubt, DownNote, LedgerNote, RowNote, Telling, TellingNote

TAKE_BACK: Final = "take_back"
"""The kind of the rows that take others back, and the tool as which a model knows that."""

UNSPOKEN: Final = frozenset({"notice", "webhook"})
"""The kinds of rows that no caller is told of."""


IN_FLIGHT: Final = frozenset({"sent", "confirming", "undoing"})
"""A request is under way whose answer is not known."""


def in_words(row: RowChanged) -> str:
    """A row's columns as people read them: "there, open", "kept (told)", "let go (retracted)"."""
    if row.stuck:
        return "outcome unknown, a human must look"
    if row.kind in UNSPOKEN:
        return {"unsent": "owed", "there": "sent", "absent": "failed for good"}.get(row.fact, "being sent")
    match row.verdict, row.fact:
        case "open", fact:
            return {"unsent": "open, nothing done yet", "sent": "open, being done"}.get(fact, f"{fact}, open")
        case "drop", fact:
            return f"{'let go' if fact == 'absent' else 'letting go'} ({row.cause})"
        case _, fact:
            rest = {
                "unsent": ", not done yet",
                "sent": ", being done",
                "confirming": ", being done",
                "absent": ", failed for good",
            }
            return f"kept ({row.cause}){rest.get(fact, '')}"


def asked(use: UseTool | TakeBack) -> tuple[str, Mapping[str, Any]]:
    """The tool that is asked for, and its arguments."""
    return (use.tool, use.args) if isinstance(use, UseTool) else (TAKE_BACK, {"effect": use.effect})


class Rows:
    """Rows as they were last told; of at most `most` of them, the latest."""

    def __init__(self, most: int = 4096) -> None:
        self._known: dict[str, RowChanged] = {}
        self._most = most

    def get(self, effect: str) -> RowChanged | None:
        """The row as it was last told."""
        return self._known.get(effect)

    def fresh(self, changes: Iterable[RowChanged]) -> Iterator[tuple[RowChanged | None, RowChanged]]:
        """Those whose columns are new, each behind what it was before."""
        for row in changes:
            old = self._known.pop(row.effect, None)
            self._known[row.effect] = row
            if old is None or _columns(old) != _columns(row):
                yield old, row
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]


def _columns(row: RowChanged) -> tuple[object, ...]:
    return row.fact, row.verdict, row.told, row.stuck, row.cause


class EffectSteps:
    """One call's log, read for the ledger."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._waiting: list[UseTool | TakeBack] = []
        self._rows_of: dict[str, str] = {}
        self._due: dict[str, Segment] = {}
        self._begun: set[tuple[str, Mode]] = set()
        self._cut: dict[str, Doubt] = {}
        self.tellings: dict[str, int] = {}
        """How often the caller was told of each effect, or asked about it."""
        self._down = False

    def row_of(self, use: str) -> RowChanged | None:
        """The row that a tool call opened, as it was last told."""
        return self._rows.get(self._rows_of.get(use, ""))

    def feed(self, entry: Logged) -> list[LedgerNote]:
        """Take the next entry; what is new with it, in order."""
        self._watch_tools(entry)
        match entry.event:
            case LedgerMoved(at, changes):
                self._down = False
                return self.moved(at, changes)
            case TellingDue(segment):
                self._due[segment.key] = segment
            case Release(key) if key in self._due:
                return [self._released(entry.at, self._due[key])]
            case TellingPlayed(segment, at):
                return [_telling(at, segment, "played")]
            case TellingCut(segment, at, lost):
                self._cut[segment.effect] = "lost" if lost else "cleared"
                return [_telling(at, segment, "lost" if lost else "cut")]
            case TellingRefused(key, why, at) if key in self._due:
                return [_telling(at, self._due[key], "refused", why=why)]
            case ClaimStopped(_, text, at):
                return [ClaimNote(at, text)]
            case LedgerDown(why, at) if not self._down:
                self._down = True
                return [DownNote(at, why)]
        return []

    def moved(self, at: float, changes: Iterable[RowChanged]) -> list[LedgerNote]:
        """The rows that are new in their columns."""
        notes = list[LedgerNote]()
        for old, row in self._rows.fresh(changes):
            if old is None:
                self._open(row)
            decided = row.verdict != "open" and not (old and old.verdict != "open")
            doubt = self._cut.pop(row.effect, None) if decided else None
            notes.append(RowNote(at, row, None if row.cause == "doubt" else doubt))
        return notes

    # ── Which tool call opened which row ─────────────────────────────────────────────────────────────────────────────

    def _watch_tools(self, entry: Logged) -> None:
        """Tool calls open their rows at once, in the order in which they were asked for; what the flow refused opens none."""
        match entry.event:
            case RoundDone(proposals=proposals) if "runtools" in entry.commands:
                self._waiting += [use for use in proposals if isinstance(use, UseTool | TakeBack)]
            case ToolDone(outcome=outcome):
                self._waiting = [use for use in self._waiting if use is not outcome.proposal]
        if any(command == "continue" or command.startswith("new epoch") for command in entry.commands):
            self._waiting.clear()

    def _open(self, row: RowChanged) -> None:
        """A row is new. Where its id is derived from another's, the ledger itself has opened it."""
        if row.kind not in UNSPOKEN:
            self.tellings[row.effect] = 0
        tool = TAKE_BACK if row.kind == TAKE_BACK else row.tool
        use = next((use for use in self._waiting if asked(use)[0] == tool), None)
        if use is not None and "." not in row.effect:
            self._waiting.remove(use)
            self._rows_of[use.id] = row.effect

    # ── Tellings ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _released(self, at: float, segment: Segment) -> TellingNote:
        self.tellings[segment.effect] = self.tellings.get(segment.effect, 0) + 1
        again = (segment.effect, segment.mode) in self._begun or segment.mode is Mode.CHECK
        self._begun.add((segment.effect, segment.mode))
        return replace(_telling(at, segment, "released"), again=again, doubt=self._cut.pop(segment.effect, None))


def _telling(at: float, segment: Segment, what: Telling, why: str = "") -> TellingNote:
    return TellingNote(at, segment.effect, segment.mode.value, what, segment.text, why=why)
