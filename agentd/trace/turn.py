"""One turn as a waterfall: its stages in their order, and below them what happened to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agentd.trace.effects import Lanes
from agentd.trace.paper import (
    BLUE,
    BOLD,
    CYAN,
    DIM,
    GREEN,
    LABEL,
    MAGENTA,
    NOTE,
    RED,
    YELLOW,
    Pen,
    Row,
    Scale,
    clean,
    clock,
    draw_row,
    ms,
)
from agentd.trace.reading import Event, Span
from telemetry import names

STAGES: Final = {
    names.SPEECH: ("caller", CYAN),
    names.ENDPOINTING: ("endpointing", YELLOW),
    names.RECOGNIZE: ("recognizer", MAGENTA),
    names.THINK: ("think", BLUE),
    names.TOOL: ("tool", RED),
    names.VOICE: ("voice", MAGENTA),
    names.PLAYBACK: ("playback", GREEN),
}
"""Span → how its row is called, and its colour."""

AFTER: Final = 2_000_000_000
"""What the ledger does so long after a turn is drawn in its place; what is later, at the edge."""


def draw_turn(pen: Pen, turn: Span, children: list[Span], lanes: Lanes, zero: int) -> Iterator[str]:
    """A turn with its children; `lanes` draws its effects, `zero` is the call's start."""
    rows, effects = _rows(turn, children), lanes.of(turn.events)
    start = min([turn.start, *(row.start for row in rows)])
    end = max([turn.end, *(row.end for row in rows)])
    end = max([end, *(min(row.end, end + AFTER) for row in effects)])
    about = [
        str(turn.attributes[name]) for name in (names.TURN_NUMBER, names.TURN_WHY, names.TURN_FLOW) if name in turn.attributes
    ]
    if prompt := turn.attributes.get(names.TURN_PROMPT):
        about[1:2] = [f"silence prompt {prompt}"]
    gap = gap_of(turn)
    head = f"turn {clean(' · '.join(about))} · at {clock(turn.start - zero)}"
    yield pen.rule(head, "" if gap is None else f"gap {ms(gap)}")
    scale = Scale(start, max(end, start + 1), pen.width - LABEL - NOTE - 1)
    yield " " * LABEL + pen.paint(scale.axis(), DIM)
    for row in (*rows, *effects, *_happenings(turn.events)):
        yield f"  {row.label[: LABEL - 3]:<{LABEL - 2}}{draw_row(pen, scale, row)} {row.note[:NOTE]}".rstrip()


def _rows(turn: Span, children: list[Span]) -> list[Row]:
    """The stages in the order in which they began, the gap where it ends, and below them the barge-ins."""
    order = list(STAGES)
    stages = sorted(
        (child for child in children if child.name in STAGES), key=lambda child: (child.start, order.index(child.name))
    )
    rows = [_stage(child) for child in stages]
    spoken = [child.end for child in stages if child.name == names.SPEECH]
    gap = gap_of(turn)
    if gap is not None and spoken:
        end = spoken[-1] + round(gap * 1e9)
        filler = " to a filler" if turn.attributes.get(names.GAP_FILLER) is True else ""
        marks = ((spoken[-1], "├"), (end, "┤"))
        place = next((i for i, row in enumerate(rows) if row.start >= end - 1_000_000), len(rows))
        rows.insert(place, Row("gap", spoken[-1], end, f"{ms(gap):>9}{filler}", BOLD, marks))
    return [*rows, *_barge_ins(turn.events)]


def _stage(span: Span) -> Row:
    label, colour = STAGES[span.name]
    attributes = span.attributes
    words = {
        names.ENDPOINTING: names.DELAY_WHY,
        names.THINK: names.THINK_STATUS,
        names.TOOL: names.TOOL_STATUS,
        names.PLAYBACK: names.PLAYBACK_END,
    }
    word = clean(attributes.get(words.get(span.name, ""), ""))
    if span.name == names.TOOL:
        label = clean(attributes.get(names.TOOL_NAME, label))
    if attributes.get(names.PLAYBACK_FILLER) is True:
        label = "filler"
    note = "" if word in {"done", "heard"} else f" {word}"
    return Row(label, span.start, span.end, f"{ms((span.end - span.start) / 1e9):>9}{note}", colour)


def _barge_ins(events: Sequence[Event]) -> list[Row]:
    """Each suspicion with its outcome, from ▲ where we stopped to ✕ (confirmed), ○ (rejected) or ▶ (resumed)."""
    marks = {names.SUSPECTED: "▲", names.CONFIRMED: "✕", names.REJECTED: "○", names.RESUMED: "▶", names.LAPSED: "·"}
    groups: list[list[Event]] = []
    for event in events:
        if event.name == names.SUSPECTED:
            groups.append([event])
        elif event.name in marks and groups:
            groups[-1].append(event)
    rows = []
    for group in groups:
        decided = next((event for event in group[1:] if event.name != names.RESUMED), group[-1])
        verdict = {names.CONFIRMED: "confirmed", names.REJECTED: "rejected", names.LAPSED: "lapsed"}.get(decided.name, "?")
        cause = clean(decided.attributes.get(names.CAUSE, ""))
        took = ms((decided.at - group[0].at) / 1e9)
        note = f"{took:>9} {cause or verdict}"
        colour = RED if verdict == "confirmed" else YELLOW
        label = f"barge-in {marks[decided.name]}" if verdict == "confirmed" else "barge-in"
        rows.append(Row(label, group[0].at, group[-1].at, note, colour, tuple((e.at, marks[e.name]) for e in group)))
    return rows


def _happenings(events: Sequence[Event]) -> list[Row]:
    """What else happened: a turn that was reopened, a reply that was dropped by no caller, a part that failed."""
    rows = []
    for event in events:
        cause, actor = (clean(event.attributes.get(name, "")) for name in (names.CAUSE, names.ACTOR))
        match event.name:
            case names.REOPENED:
                rows.append(Row("reopened", event.at, event.at, "", YELLOW, ((event.at, "↩"),)))
            case names.EPOCH_RAISED if cause not in {"caller", "end"}:
                rows.append(Row("reply dropped", event.at, event.at, f"{'':>9} {cause}", RED, ((event.at, "✂"),)))
            case names.RESTARTED:
                rows.append(Row("restarted", event.at, event.at, f"{'':>9} {actor}", RED, ((event.at, "↻"),)))
            case names.CLAIM:
                rows.append(Row("claim stopped", event.at, event.at, "", YELLOW, ((event.at, "⊘"),)))
            case names.LEDGER_DOWN:
                rows.append(Row("ledger down", event.at, event.at, "", RED, ((event.at, "†"),)))
            case names.DOWN:
                rows.append(Row("down", event.at, event.at, f"{'':>9} {actor}", RED, ((event.at, "†"),)))
    return rows


def gap_of(turn: Span) -> float | None:
    """The turn's gap in seconds, where it has one."""
    gap = turn.attributes.get(names.GAP)
    return float(gap) if isinstance(gap, int | float) and not isinstance(gap, bool) and abs(gap) < 1e6 else None
