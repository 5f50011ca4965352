"""The turn table drawn and written out: the docs' copies are made here, from the rows themselves.

`agentd turn graph` prints the diagram; `python -m agentd.turn.graph --write` brings README.md beside this file up to date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from agentd.turn import machine, timing
from agentd.turn.machine import IGNORED, TABLE, Row
from agentd.turn.value import State

README: Final = Path(__file__).with_name("README.md")
ANYWHERE: Final = 3
"""A row that leads from more states than these to one is drawn once, from a node that stands for them all."""


def mermaid() -> str:
    """`stateDiagram-v2` of every row that leads somewhere else, its guards in brackets; rows that stay are left out."""
    edges: dict[tuple[str, str], list[str]] = {}
    groups: dict[tuple[State, ...], str] = {}
    for row in TABLE:
        if row.to is None:
            continue
        if len(row.at) > ANYWHERE:
            sources = [groups.setdefault(row.at, f"any{len(groups) + 1}")]
        else:
            sources = [state.value for state in row.at]
        for source in sources:
            edges.setdefault((source, row.to.value), []).append(_label(row))
    lines = ["stateDiagram-v2", f"  [*] --> {State.CONNECTING}"]
    lines += [f'  state "{" ∙ ".join(states)}" as {name}' for states, name in groups.items()]
    lines += [f"  {source} --> {dest}: {'<br/>'.join(labels)}" for (source, dest), labels in edges.items()]
    lines.append(f"  {State.ENDED} --> [*]")
    return "\n".join(lines) + "\n"


def _label(row: Row) -> str:
    return f"{row.on} [{', '.join(row.when)}]" if row.when else row.on


def table_markdown() -> str:
    """Every event in every state: where the rows lead, tried from top to bottom, or why the event means nothing there.

    `∙` stays, `–` is ignored with its reason below, and an empty cell is a bug that raises.
    """
    states = [state for state in State if state is not State.ENDED]
    reasons = list(dict.fromkeys(reason for by_state in IGNORED.values() for reason in by_state.values()))
    lines = [f"| event | {' | '.join(states)} |", "|---" * (len(states) + 1) + "|"]
    for event, ignored in IGNORED.items():
        cells = [f"–{reasons.index(ignored[s]) + 1}" if s in ignored else _cell(event, s) for s in states]
        lines.append(f"| {event} | {' | '.join(cells)} |")
    notes = [f"–{number} {reason}." for number, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, "", "In *ended* every event means nothing. " + " ".join(notes)]) + "\n"


def _cell(event: str, state: State) -> str:
    dests = ["∙" if row.to is None else row.to.value for row in TABLE if row.on == event and state in row.at]
    return "<br/>".join(dict.fromkeys(dests))


def defaults_markdown() -> str:
    """The settings of `timing.py` with their reasons."""
    lines = ["| setting | default | reason |", "|---|---|---|"]
    for name, value, reason in _defaults():
        shown = ", ".join(f"{k} {v:g}" for k, v in value.items()) if isinstance(value, Mapping) else f"{value:g}"
        lines.append(f"| `{name}` | {shown} | {reason} |")
    return "\n".join(lines) + "\n"


def _defaults() -> Iterator[tuple[str, float | Mapping[str, float], str]]:
    reasons = dict(re.findall(r'^    (\w+): .*\n    """(.*?)"""', inspect.getsource(timing.Timing), re.MULTILINE))
    defaults = timing.Timing()
    for field in fields(defaults):
        yield field.name, getattr(defaults, field.name), reasons[field.name]


SECTIONS: Final = {
    "theory": lambda: (machine.__doc__ or "").partition("How to read")[0].partition("===\n\n")[2],
    "defaults": defaults_markdown,
    "diagram": lambda: f"```mermaid\n{mermaid()}```\n",
    "table": table_markdown,
}
"""What is generated between the markers of README.md."""


def refreshed(text: str) -> str:
    """A page with what stands between its markers made anew."""
    for name, make in SECTIONS.items():
        begin, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        text = before + begin + make() + end + rest.partition(end)[2]
    return text


def main(argv: Sequence[str]) -> int:
    """Print the diagram; with `--write`, bring README.md up to date. Exit code 0, or 2 for a wrong command line."""
    match list(argv):
        case []:
            sys.stdout.write(mermaid())
        case ["--write"]:
            README.write_text(refreshed(README.read_text("utf-8")), "utf-8")
        case _:
            sys.stderr.write("usage: agentd turn graph    (or: python -m agentd.turn.graph --write)\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
