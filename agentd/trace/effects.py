"""Effects on a turn's picture: a lane for each that moved in it, from mark to mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from agentd.messages import RowChanged
from agentd.trace.paper import GREEN, MAGENTA, RED, YELLOW, Row, clean
from agentd.trace.reading import Event
from telemetry import names
from telemetry.effects import UNSPOKEN, in_words

LEGEND: Final = """\
marks of a barge-in:
  ▲ a voice, and we stop   ✕ it was one   ○ it was none   ▶ the reply goes on

marks of an effect:
  · asked for   → sent   ● there   ← its undo sent   ○ not there (any more)
  ✓ kept   ✗ let go   … open at the turn's end   ? nobody knows: a human must look
  “ its telling begins   ” the caller knows   ✂ the telling was cut   ⊘ it was not so any more
"""

FACTS: Final = {
    "unsent": "·",
    "sent": "→",
    "there": "●",
    "confirming": "→",
    "confirmed": "●",
    "undoing": "←",
    "absent": "○",
}
VERDICTS: Final = {"keep": "✓", "drop": "✗"}
TELLINGS: Final = {names.RELEASED: "“", names.TOLD: "”", names.CUT: "✂", names.REFUSED: "⊘"}

_BLANK: Final = RowChanged("", "", "", "", "open", "", False, "")


def outcomes(events: Iterable[Event]) -> list[str]:
    """For each effect that the caller may know of, what these events leave of it: kept, let go, open or unknown."""
    rows = {row.effect: row for event in events if event.name == names.EFFECT and (row := _row(event)).kind not in UNSPOKEN}
    return ["unknown" if row.stuck else {"keep": "kept", "drop": "let go"}.get(row.verdict, "open") for row in rows.values()]


class Lanes:
    """A call's effects, turn by turn: what is drawn in one is what is new since the one before."""

    def __init__(self) -> None:
        self._known: dict[str, RowChanged] = {}

    def of(self, events: Sequence[Event]) -> list[Row]:
        """The lanes of a turn with these events, in the order in which they begin."""
        marks: dict[str, list[tuple[int, str]]] = {}
        for event in events:
            row = _row(event)
            lane = marks.setdefault(row.effect, [])
            if event.name == names.EFFECT:
                lane += [(event.at, mark) for mark in _new(self._known.get(row.effect, _BLANK), row)]
                self._known[row.effect] = row
            elif event.name in TELLINGS:
                lane.append((event.at, TELLINGS[event.name]))
        return [self._lane(effect, some) for effect, some in marks.items() if some]

    def _lane(self, effect: str, marks: list[tuple[int, str]]) -> Row:
        row = self._known.get(effect, _BLANK)
        sign = "?" if row.stuck else VERDICTS.get(row.verdict, "…")
        colour = {"?": RED, "✓": GREEN, "✗": YELLOW}.get(sign, MAGENTA)
        name = {"take_back": f"{row.tool} back", "notice": "notice"}.get(row.kind, row.tool)
        note = f" {in_words(row)}" if row.fact else ""
        return Row(f"{name[:12]} {sign}", marks[0][0], marks[-1][0], note, colour, tuple(marks))


def _row(event: Event) -> RowChanged:
    """The row that an event tells, as far as it does."""

    def text(name: str) -> str:
        return clean(event.attributes.get(name, ""))

    return RowChanged(
        text(names.EFFECT_ID),
        text(names.TOOL_NAME),
        text(names.EFFECT_KIND),
        text(names.EFFECT_FACT),
        text(names.EFFECT_VERDICT),
        text(names.EFFECT_TOLD),
        event.attributes.get(names.EFFECT_STUCK) is True,
        text(names.EFFECT_CAUSE),
    )


def _new(old: RowChanged, row: RowChanged) -> Iterator[str]:
    """A mark for each column that is new; how far the caller knows, the tellings show."""
    if row.verdict != old.verdict and row.verdict in VERDICTS:
        yield VERDICTS[row.verdict]
    if row.fact != old.fact and row.fact in FACTS:
        yield FACTS[row.fact]
    if row.stuck and not old.stuck:
        yield "?"
