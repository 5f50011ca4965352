"""What became of a call's effects, in words for people: those who take the call over, and those who read of it later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from agentd.flow import templates
from agentd.flow.effects import EffectTool
from agentd.flow.model import Flow
from agentd.ledger import lines
from agentd.ledger.book import Book
from agentd.ledger.row import SPOKEN, Kind, Row
from agentd.messages import Effect, Mode


class Fate(StrEnum):
    """What became of an effect."""

    DONE = "done"
    UNDONE = "undone"
    OPEN = "open"
    UNKNOWN = "not_known"


FATES: Final[Mapping[str, Fate]] = {
    "kept": Fate.DONE,
    "taken_back": Fate.UNDONE,
    "dropped": Fate.UNDONE,
    "failed": Fate.UNDONE,
    "unknown": Fate.UNKNOWN,
}
"""By an effect's state; all others are open."""

HOW: Final[Mapping[str, str]] = {
    "running": "it was still being done",
    "open": "done, but the caller may not have heard so: it may be let go",
    "asking": "not done: the caller was asked, and has not agreed",
    "waiting": "not done yet: it leaves once the caller has heard of it",
    "keeping": "the caller agreed; it is being done",
    "dropping": "it is being let go",
    "dropped": "not done: it was let go",
    "failed": "not done: it did not work out",
    "taken_back": "taken back at the caller's wish",
    "unknown": "nobody knows whether it was done: look before doing it again",
}
"""An effect's state, for whoever goes on from it; "kept" needs no words."""


def fate(effect: Effect) -> Fate:
    """What became of it."""
    return FATES.get(effect.state, Fate.OPEN)


def whole(flow: Flow | None, effect: Effect, now: datetime) -> str:
    """An effect with all that it was asked, in words: "book, wanted Tuesday the 24th, name John Smith"."""
    return ", ".join([_act(effect), *(f"{plain(name)} {said}" for name, said in _said(flow, effect, now).items())])


def brief(flow: Flow, effect: Effect, now: datetime) -> str:
    """An effect by the values that its caller is told of it: "book Tuesday the 24th"."""
    tool, said = flow.tools.get(effect.tool), _said(flow, effect, now)
    told = templates.fields(tool.texts[Mode.TELL]) if isinstance(tool, EffectTool) else ()
    return " ".join([_act(effect), *(said[name] for name in dict.fromkeys(told) if name in said)])


def by_fate(effects: tuple[Effect, ...]) -> dict[Fate, list[Effect]]:
    """The effects by what became of them, each fate in its place; a taking back that is done is told by what it took back."""
    found: dict[Fate, list[Effect]] = {one: [] for one in Fate}
    for effect in effects:
        if not (effect.kind == Kind.TAKE_BACK and effect.state == "kept"):
            found[fate(effect)].append(effect)
    return found


def written(flow: Flow | None, book: Book, now: datetime) -> list[dict[str, Any]]:
    """A call's effects as JSON, for its record and for whoever hears of the call: what, what became of it, and its columns."""
    told = lines.effects(book, lambda row: row.tool)
    rows = {row.id: row for row in book.rows}
    return [_entry(rows[effect.id], whole(flow, effect, now), fate(effect)) for effect in told]


def settled(book: Book) -> bool:
    """Whether nothing more will become of a call's effects."""
    return all(row.settled for row in book.rows if row.kind in SPOKEN)


def plain(name: str) -> str:
    """A name as one says it."""
    return name.replace("_", " ")


def _entry(row: Row, label: str, became: Fate) -> dict[str, Any]:
    return {
        "id": row.id,
        "tool": row.tool,
        "kind": row.kind.value,
        "label": label,
        "fate": became.value,
        "fact": row.fact.value,
        "verdict": row.verdict.value,
        "told": row.told.value,
        "cause": row.why,
        "stuck": row.stuck,
        "notice": row.noticed,
    }


def _act(effect: Effect) -> str:
    return f"taking back {plain(effect.tool)}" if effect.kind == Kind.TAKE_BACK else plain(effect.tool)


def _said(flow: Flow | None, effect: Effect, now: datetime) -> dict[str, str]:
    """The values of its arguments in words, as one says them at `now`; as they stand where its tool is not here any more."""
    tool = flow.tools.get(effect.tool) if flow else None
    known = {name: value for name, value in effect.args.items() if value is not None}
    if isinstance(tool, EffectTool):
        return {name: text for name, value in known.items() if (text := tool.said(name, value, now))}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in known.items()}
