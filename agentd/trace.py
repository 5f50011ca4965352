"""`agentd trace CALL`: draws a call in the terminal, a waterfall for each turn, from what lies in its folder.

It reads spans.jsonl and transcript.jsonl and nothing else, so that a live call can be drawn and a broken one too: what cannot
be read is left out and counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agentd.errors import OperatorError
from agentd.folder import find_call
from telemetry import names

LABEL: Final = 17
NOTE: Final = 24
NARROWEST, WIDEST, USUAL = 80, 160, 100

_STEER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_PLAIN, _DIM, _BOLD, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN = "", "2", "1", "31", "32", "33", "34", "35", "36"

STAGES: Final = {
    names.SPEECH: ("caller", _CYAN),
    names.ENDPOINTING: ("endpointing", _YELLOW),
    names.RECOGNIZE: ("recognizer", _MAGENTA),
    names.THINK: ("think", _BLUE),
    names.TOOL: ("tool", _RED),
    names.VOICE: ("voice", _MAGENTA),
    names.PLAYBACK: ("playback", _GREEN),
}
"""Span → how its row is called, and its colour."""


@dataclass(frozen=True, slots=True)
class _Event:
    name: str
    at: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Span:
    """A span as it was read; times in nanoseconds."""

    id: str
    parent: str | None
    name: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    events: tuple[_Event, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a waterfall: what is drawn between `start` and `end`, and what stands in the margin."""

    label: str
    start: int
    end: int
    note: str
    colour: str
    marks: tuple[tuple[int, str], ...] = ()
    """Where there are any, they are drawn in place of a bar, with a dotted line from the first to the last."""


def main(argv: Sequence[str], root: Path) -> int:
    """`agentd trace [CALL]` for the calls under `root`. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="agentd trace", description="Draw a call: its turns, stages and barge-ins.")
    parser.add_argument("call", metavar="CALL", nargs="?", default="last", help='an id, the beginning of one, or "last"')
    args = parser.parse_args(argv)
    try:
        call_id = find_call(root, args.call)
        spans, bad = _read_spans(root / call_id / "spans.jsonl")
        lines, worse = _read(root / call_id / "transcript.jsonl")
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 1
    width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((USUAL, 24)).columns))
    pen = _Pen(width, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    encoding = sys.stdout.encoding or "ascii"
    for text in _draw(pen, call_id, spans, lines, bad + worse):
        print(text.encode(encoding, "replace").decode(encoding))
    return 0


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines that are objects, and how many are not. A live call's last line may be half written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise OperatorError(
            f"it cannot be read ({error.strerror}).", where=str(path), mend="check the folder's rights."
        ) from error
    found, bad = [], 0
    for line in data.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            found.append(value)
        else:
            bad += 1
    return found, bad


def _read_spans(path: Path) -> tuple[list[_Span], int]:
    lines, bad = _read(path)
    spans = [span for line in lines if (span := _span(line))]
    return spans, bad + len(lines) - len(spans)


def _span(line: Mapping[str, Any]) -> _Span | None:
    match line:
        case {"span_id": str(span_id), "name": str(name), "start": int(start), "end": int(end)} if (
            -(2**63) < start <= end < 2**63
        ):
            parent, attributes, events = line.get("parent_id"), line.get("attributes"), line.get("events")
            found = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
            return _Span(
                span_id,
                parent if isinstance(parent, str) else None,
                name,
                start,
                end,
                attributes if isinstance(attributes, dict) else {},
                tuple(_event(event) for event in found if isinstance(event.get("at"), int)),
            )
        case _:
            return None


def _event(event: Mapping[str, Any]) -> _Event:
    attributes = event.get("attributes")
    return _Event(str(event.get("name")), event["at"], attributes if isinstance(attributes, dict) else {})


# ── The call ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _draw(pen: _Pen, call_id: str, spans: list[_Span], lines: list[dict[str, Any]], bad: int) -> Iterator[str]:
    turns = sorted((span for span in spans if span.name == names.TURN), key=lambda turn: turn.start)
    call = next((span for span in spans if span.name == names.CALL), None)
    yield from _head(pen, call_id, call, turns)
    zero = call.start if call else min((span.start for span in spans), default=0)
    for turn in turns:
        number = turn.attributes.get(names.TURN_NUMBER)
        yield ""
        yield from _turn(pen, turn, [span for span in spans if span.parent == turn.id], zero)
        yield from _words(pen, [line for line in lines if line.get("turn") == number])
    drawn = [turn.attributes.get(names.TURN_NUMBER) for turn in turns]
    if rest := [line for line in lines if line.get("turn") not in drawn]:
        yield ""
        yield pen.rule("not over", "")
        yield from _words(pen, rest)
    if bad:
        yield ""
        yield pen.paint(f"{bad} line{'s' * (bad > 1)} of its files could not be read.", _DIM)


def _head(pen: _Pen, call_id: str, call: _Span | None, turns: list[_Span]) -> Iterator[str]:
    about = [call.attributes.get(name) for name in (names.CALL_FLOW, names.CALL_CARRIER, names.CALL_OUTCOME)] if call else []
    state = " · ".join(_clean(word) for word in about if word) if call else "live, or cut off: the call's own span is missing"
    yield f"{pen.paint(call_id, _BOLD)}  {state[: pen.width - len(call_id) - 2]}"
    facts = [f"{len(turns)} turn{'s' * (len(turns) != 1)}"]
    if call:
        facts.insert(0, _clock(call.end - call.start))
    gaps = [gap for turn in turns if (gap := _gap(turn)) is not None]
    if gaps:
        facts.append(f"gap {_ms(statistics.median(gaps))} median, {_ms(max(gaps))} at most")
    found = [event.name for turn in turns for event in turn.events]
    verdicts = {"confirmed": names.CONFIRMED, "rejected": names.REJECTED, "lapsed": names.LAPSED}
    counts = [f"{found.count(name)} {verdict}" for verdict, name in verdicts.items() if name in found]
    if counts:
        facts.append(f"barge-ins: {', '.join(counts)}")
    for row in textwrap.wrap(" · ".join(facts), pen.width):
        yield pen.paint(row, _DIM)


def _words(pen: _Pen, lines: list[dict[str, Any]]) -> Iterator[str]:
    """What was said and heard in a turn; a cut line ends with a dash."""
    for line in lines:
        who, text = _clean(line.get("who", "?")), _clean(line.get("text", ""))
        text = f"“{text} —”" if line.get("cut") else f"“{text}”"
        first = f"  {who:<{LABEL - 2}}"
        wrapped = textwrap.wrap(text, pen.width, initial_indent=first, subsequent_indent=" " * (LABEL + 1))
        for row in wrapped:
            yield pen.paint(row[:LABEL], _CYAN if who == "caller" else _GREEN) + row[LABEL:]


# ── A turn ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _turn(pen: _Pen, turn: _Span, children: list[_Span], zero: int) -> Iterator[str]:
    rows = _rows(turn, children)
    start = min([turn.start, *(row.start for row in rows)])
    end = max([turn.end, *(row.end for row in rows)])
    about = [
        str(turn.attributes[name]) for name in (names.TURN_NUMBER, names.TURN_WHY, names.TURN_FLOW) if name in turn.attributes
    ]
    if prompt := turn.attributes.get(names.TURN_PROMPT):
        about[1:2] = [f"silence prompt {prompt}"]
    gap = _gap(turn)
    head = f"turn {_clean(' · '.join(about))} · at {_clock(turn.start - zero)}"
    yield pen.rule(head, "" if gap is None else f"gap {_ms(gap)}")
    scale = _Scale(start, max(end, start + 1), pen.width - LABEL - NOTE - 1)
    yield " " * LABEL + pen.paint(scale.axis(), _DIM)
    for row in rows:
        yield f"  {row.label[: LABEL - 3]:<{LABEL - 2}}{_line(pen, scale, row)} {row.note[:NOTE]}".rstrip()


def _rows(turn: _Span, children: list[_Span]) -> list[_Row]:
    """The stages in the order in which they began, the gap where it ends, and below them what happened to the turn."""
    order = list(STAGES)
    stages = sorted(
        (child for child in children if child.name in STAGES), key=lambda child: (child.start, order.index(child.name))
    )
    rows = [_stage(child) for child in stages]
    spoken = [child.end for child in stages if child.name == names.SPEECH]
    gap = _gap(turn)
    if gap is not None and spoken:
        end = spoken[-1] + round(gap * 1e9)
        filler = " to a filler" if turn.attributes.get(names.GAP_FILLER) is True else ""
        marks = ((spoken[-1], "├"), (end, "┤"))
        place = next((i for i, row in enumerate(rows) if row.start >= end - 1_000_000), len(rows))
        rows.insert(place, _Row("gap", spoken[-1], end, f"{_ms(gap):>9}{filler}", _BOLD, marks))
    return [*rows, *_barge_ins(turn.events), *_happenings(turn.events)]


def _stage(span: _Span) -> _Row:
    label, colour = STAGES[span.name]
    attributes = span.attributes
    words = {
        names.ENDPOINTING: names.DELAY_WHY,
        names.THINK: names.THINK_STATUS,
        names.TOOL: names.TOOL_STATUS,
        names.PLAYBACK: names.PLAYBACK_END,
    }
    word = _clean(attributes.get(words.get(span.name, ""), ""))
    if span.name == names.TOOL:
        label = _clean(attributes.get(names.TOOL_NAME, label))
    if attributes.get(names.PLAYBACK_FILLER) is True:
        label = "filler"
    note = "" if word in {"done", "heard"} else f" {word}"
    return _Row(label, span.start, span.end, f"{_ms((span.end - span.start) / 1e9):>9}{note}", colour)


def _barge_ins(events: Sequence[_Event]) -> list[_Row]:
    """Each suspicion with its outcome, from ▲ where we stopped to ✕ (confirmed), ○ (rejected) or ▶ (resumed)."""
    marks = {names.SUSPECTED: "▲", names.CONFIRMED: "✕", names.REJECTED: "○", names.RESUMED: "▶", names.LAPSED: "·"}
    groups: list[list[_Event]] = []
    for event in events:
        if event.name == names.SUSPECTED:
            groups.append([event])
        elif event.name in marks and groups:
            groups[-1].append(event)
    rows = []
    for group in groups:
        decided = next((event for event in group[1:] if event.name != names.RESUMED), group[-1])
        verdict = {names.CONFIRMED: "confirmed", names.REJECTED: "rejected", names.LAPSED: "lapsed"}.get(decided.name, "?")
        cause = _clean(decided.attributes.get(names.CAUSE, ""))
        took = _ms((decided.at - group[0].at) / 1e9)
        note = f"{took:>9} {cause or verdict}"
        colour = _RED if verdict == "confirmed" else _YELLOW
        label = f"barge-in {marks[decided.name]}" if verdict == "confirmed" else "barge-in"
        rows.append(_Row(label, group[0].at, group[-1].at, note, colour, tuple((e.at, marks[e.name]) for e in group)))
    return rows


def _happenings(events: Sequence[_Event]) -> list[_Row]:
    """What else happened: a turn that was reopened, a reply that was dropped by no caller, an actor that failed."""
    rows = []
    for event in events:
        cause, actor = (_clean(event.attributes.get(name, "")) for name in (names.CAUSE, names.ACTOR))
        match event.name:
            case names.REOPENED:
                rows.append(_Row("reopened", event.at, event.at, "", _YELLOW, ((event.at, "↩"),)))
            case names.EPOCH_RAISED if cause not in {"caller", "end"}:
                rows.append(_Row("reply dropped", event.at, event.at, f"{'':>9} {cause}", _RED, ((event.at, "✂"),)))
            case names.RESTARTED:
                rows.append(_Row("restarted", event.at, event.at, f"{'':>9} {actor}", _RED, ((event.at, "↻"),)))
            case names.DOWN:
                rows.append(_Row("down", event.at, event.at, f"{'':>9} {actor}", _RED, ((event.at, "†"),)))
    return rows


# ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Pen:
    """Paper of a width, and colour where it is seen."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self.width, self._colour = width, colour

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour and text else text

    def rule(self, left: str, right: str) -> str:
        """A heading with a line through it, and something in the right margin."""
        left = left[: self.width - len(right) - 10]
        line = "─" * (self.width - len(left) - 4 - (len(right) + 3) * bool(right))
        margin = f" {self.paint(right, _BOLD)} ─" if right else ""
        return f"{self.paint('──', _DIM)} {self.paint(left, _BOLD)} {self.paint(line, _DIM)}{margin}"


class _Scale:
    """Times of one turn on `width` cells."""

    def __init__(self, start: int, end: int, width: int) -> None:
        self._start, self._span, self.width = start, end - start, width
        step = self._span / max(1, width // 11)
        power = 10 ** (len(str(int(step))) - 1)
        step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= step)
        self.ticks = {self.cell(start + n * step): n * step / 1e9 for n in range(int(self._span // step) + 1)}

    def half(self, at: int) -> int:
        """The half cell of a time."""
        return min(2 * self.width, max(0, round((at - self._start) / self._span * 2 * self.width)))

    def cell(self, at: int) -> int:
        """The cell of a time."""
        return min(self.width - 1, self.half(at) // 2)

    def axis(self) -> str:
        """The seconds since the turn began, where they are."""
        text = [" "] * (self.width + 8)
        for number, (cell, seconds) in enumerate(self.ticks.items()):
            label = f"{seconds:.3g}{' s' * (number == 0)}"
            text[cell : cell + len(label)] = label
        return "".join(text).rstrip()


def _line(pen: _Pen, scale: _Scale, row: _Row) -> str:
    """A row's cells: its bar, in half cells and never nothing, or its marks; behind them the ticks."""
    cells = ["┊" if cell in scale.ticks else " " for cell in range(scale.width)]
    first, last = scale.cell(row.start), scale.cell(row.end)
    if row.marks:
        cells[first : last + 1] = ["─" if row.label == "gap" else "╌"] * (last + 1 - first)
        for at, mark in row.marks:
            cells[scale.cell(at)] = mark
    else:
        start = min(scale.half(row.start), 2 * scale.width - 1)
        end = max(start + 1, scale.half(row.end))
        first, last = start // 2, (end - 1) // 2
        for cell in range(first, last + 1):
            left, right = start <= 2 * cell < end, start <= 2 * cell + 1 < end
            cells[cell] = "━" if left and right else "╸" if left else "╺"
    before, drawn, after = "".join(cells[:first]), "".join(cells[first : last + 1]), "".join(cells[last + 1 :])
    return pen.paint(before, _DIM) + pen.paint(drawn, row.colour) + pen.paint(after, _DIM)


def _gap(turn: _Span) -> float | None:
    gap = turn.attributes.get(names.GAP)
    return float(gap) if isinstance(gap, int | float) and not isinstance(gap, bool) and abs(gap) < 1e6 else None


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _clock(ns: int) -> str:
    tenths = round(ns / 1e8)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _clean(value: object) -> str:
    """A text that cannot steer the terminal, whatever a caller put into it."""
    return _STEER.sub("", str(value))
