"""A flow that changes the world, and effects of it in any state."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from agentd.flow import Context, Flow, SpokenName, SpokenTime, State
from agentd.flow.declaring import compensable, deferred, held
from agentd.ledger.book import Book
from agentd.ledger.row import Fact, Kind, Row, Told, Verdict
from agentd.messages import Effect

NOW = datetime.fromisoformat("2026-11-20T12:00-05:00")


@held(ask="Shall I book {when}?", tell="You are booked for {when}.", identity=["when"], ttl=300)
async def book(context: Context, when: SpokenTime, name: SpokenName) -> None: ...


@compensable(tell="I have put you on the list.", identity=["name"])
async def join_list(context: Context, name: SpokenName) -> None: ...


@deferred(tell="I will text you.", identity=[], needs=[book])
async def text_it(context: Context) -> None: ...


FLOW = Flow(
    "desk",
    states=[State("talk", tools=[book, join_list, text_it]), State("handover", transfer="front_desk")],
    transitions=[],
    timezone="America/New_York",
    transfers={"front_desk": "+15550199"},
)

ARGS = {"when": "2026-11-24", "name": "Jane Doe"}


def effect(state: str, tool: str = "book", kind: str = "held", **args: Any) -> Effect:
    return Effect(f"{tool}-{state}-{kind}", tool, kind, args or ARGS, None, state, "")


def row(name: str, seq: int = 0, kind: Kind = Kind.HELD, tool: str = "book", **fields: Any) -> Row:
    return Row(name, "c1", seq, tool, kind, args=json.dumps(ARGS), **fields)


KEPT: dict[str, Any] = {"fact": Fact.CONFIRMED, "verdict": Verdict.KEEP, "told": Told.TOLD, "why": "yes"}
DROPPED: dict[str, Any] = {"fact": Fact.ABSENT, "verdict": Verdict.DROP, "why": "retracted"}


def over(*rows: Row) -> Book:
    return Book("c1", rows, over=True)
