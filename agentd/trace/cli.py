"""`agentd trace CALL`: a head for the call, and each turn's waterfall with what was said in it."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from agentd.errors import OperatorError
from agentd.folder import find_call
from agentd.trace.effects import LEGEND, Lanes, outcomes
from agentd.trace.paper import BOLD, CYAN, DIM, GREEN, LABEL, MAGENTA, Pen, clean, clock, ms
from agentd.trace.reading import Span, read, read_spans
from agentd.trace.turn import draw_turn, gap_of
from telemetry import names

NARROWEST, WIDEST, USUAL = 80, 160, 100

VOICES: Final = {"caller": CYAN, "agent": GREEN, "ledger": MAGENTA}


def main(argv: Sequence[str], root: Path) -> int:
    """`agentd trace [CALL]` for the calls under `root`. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="agentd trace",
        description="Draw a call: its turns with their stages, barge-ins and effects.",
        epilog=LEGEND,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("call", metavar="CALL", nargs="?", default="last", help='an id, the beginning of one, or "last"')
    args = parser.parse_args(argv)
    try:
        call_id = find_call(root, args.call)
        spans, bad = read_spans(root / call_id / "spans.jsonl")
        lines, worse = read(root / call_id / "transcript.jsonl")
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 1
    width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size((USUAL, 24)).columns))
    pen = Pen(width, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    encoding = sys.stdout.encoding or "ascii"
    for text in _draw(pen, call_id, spans, lines, bad + worse):
        print(text.encode(encoding, "replace").decode(encoding))
    return 0


def _draw(pen: Pen, call_id: str, spans: list[Span], lines: list[dict[str, Any]], bad: int) -> Iterator[str]:
    turns = sorted((span for span in spans if span.name == names.TURN), key=lambda turn: turn.start)
    call = next((span for span in spans if span.name == names.CALL), None)
    yield from _head(pen, call_id, call, turns)
    zero = call.start if call else min((span.start for span in spans), default=0)
    lanes = Lanes()
    for turn in turns:
        number = turn.attributes.get(names.TURN_NUMBER)
        yield ""
        yield from draw_turn(pen, turn, [span for span in spans if span.parent == turn.id], lanes, zero)
        yield from _words(pen, [line for line in lines if line.get("turn") == number])
    drawn = [turn.attributes.get(names.TURN_NUMBER) for turn in turns]
    if rest := [line for line in lines if line.get("turn") not in drawn]:
        yield ""
        yield pen.rule("not over", "")
        yield from _words(pen, rest)
    if bad:
        yield ""
        yield pen.paint(f"{bad} line{'s' * (bad > 1)} of its files could not be read.", DIM)


def _head(pen: Pen, call_id: str, call: Span | None, turns: list[Span]) -> Iterator[str]:
    about = [call.attributes.get(name) for name in (names.CALL_FLOW, names.CALL_CARRIER, names.CALL_OUTCOME)] if call else []
    state = " · ".join(clean(word) for word in about if word) if call else "live, or cut off: the call's own span is missing"
    yield f"{pen.paint(call_id, BOLD)}  {state[: pen.width - len(call_id) - 2]}"
    facts = [f"{len(turns)} turn{'s' * (len(turns) != 1)}"]
    if call:
        facts.insert(0, clock(call.end - call.start))
    gaps = [gap for turn in turns if (gap := gap_of(turn)) is not None]
    if gaps:
        facts.append(f"gap {ms(statistics.median(gaps))} median, {ms(max(gaps))} at most")
    found = [event.name for turn in turns for event in turn.events]
    verdicts = {"confirmed": names.CONFIRMED, "rejected": names.REJECTED, "lapsed": names.LAPSED}
    counts = [f"{found.count(name)} {verdict}" for verdict, name in verdicts.items() if name in found]
    if counts:
        facts.append(f"barge-ins: {', '.join(counts)}")
    if effects := Counter(outcomes(event for span in (*turns, *([call] if call else [])) for event in span.events)):
        facts.append(f"effects: {', '.join(f'{count} {outcome}' for outcome, count in effects.items())}")
    for row in textwrap.wrap(" · ".join(facts), pen.width):
        yield pen.paint(row, DIM)


def _words(pen: Pen, lines: list[dict[str, Any]]) -> Iterator[str]:
    """What was said and heard in a turn, and what became of effects; a line that was cut ends with a dash."""
    for line in lines:
        who, text = clean(line.get("who", "?")), clean(line.get("text", ""))
        if who != "ledger":
            text = f"“{text} —”" if line.get("cut") else f"“{text}”"
        first = f"  {who:<{LABEL - 2}}"
        wrapped = textwrap.wrap(text, pen.width, initial_indent=first, subsequent_indent=" " * (LABEL + 1))
        for row in wrapped:
            yield pen.paint(row[:LABEL], VOICES.get(who, GREEN)) + row[LABEL:]
