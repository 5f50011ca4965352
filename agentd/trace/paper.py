"""What is drawn on: paper of a width, a scale of time, and the rows of a waterfall in cells of both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LABEL: Final = 17
NOTE: Final = 24

_STEER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

PLAIN, DIM, BOLD, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN = "", "2", "1", "31", "32", "33", "34", "35", "36"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a waterfall: what is drawn between `start` and `end`, and what stands in the margin."""

    label: str
    start: int
    end: int
    note: str
    colour: str
    marks: tuple[tuple[int, str], ...] = ()
    """Where there are any, they are drawn in place of a bar, with a dotted line from the first to the last."""


class Pen:
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
        margin = f" {self.paint(right, BOLD)} ─" if right else ""
        return f"{self.paint('──', DIM)} {self.paint(left, BOLD)} {self.paint(line, DIM)}{margin}"


class Scale:
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


def _places(cells: list[int], width: int) -> list[int]:
    """A cell for each mark, in their order: as near to its time as those before it leave room."""
    for at in range(1, len(cells)):
        cells[at] = max(cells[at], cells[at - 1] + 1)
    return [max(0, min(cell, width - len(cells) + at)) for at, cell in enumerate(cells)]


def draw_row(pen: Pen, scale: Scale, row: Row) -> str:
    """A row's cells: its bar, in half cells and never nothing, or its marks; behind them the ticks."""
    cells = ["┊" if cell in scale.ticks else " " for cell in range(scale.width)]
    first, last = scale.cell(row.start), scale.cell(row.end)
    if row.marks:
        places = _places([scale.cell(at) for at, _ in row.marks], scale.width)
        first, last = places[0], places[-1]
        cells[first : last + 1] = ["─" if row.label == "gap" else "╌"] * (last + 1 - first)
        for place, (_, mark) in zip(places, row.marks, strict=True):
            cells[place] = mark
    else:
        start = min(scale.half(row.start), 2 * scale.width - 1)
        end = max(start + 1, scale.half(row.end))
        first, last = start // 2, (end - 1) // 2
        for cell in range(first, last + 1):
            left, right = start <= 2 * cell < end, start <= 2 * cell + 1 < end
            cells[cell] = "━" if left and right else "╸" if left else "╺"
    before, drawn, after = "".join(cells[:first]), "".join(cells[first : last + 1]), "".join(cells[last + 1 :])
    return pen.paint(before, DIM) + pen.paint(drawn, row.colour) + pen.paint(after, DIM)


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{seconds * 1000:,.0f} ms"


def clock(ns: int) -> str:
    """Nanoseconds since the call began, as minutes and seconds."""
    tenths = round(ns / 1e8)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def clean(value: object) -> str:
    """A text that cannot steer the terminal, whatever a caller put into it."""
    return _STEER.sub("", str(value))
