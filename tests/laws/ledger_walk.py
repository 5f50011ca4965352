"""Walks breadth first through everything that may happen in the ledger's world, and retells what breaks a law.

`python -m tests.laws.ledger_walk STATES [NAME]` walks every scenario (whose name has NAME in it) as far as so many states.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentd.errors import InternalBug
from agentd.ledger import rules
from agentd.ledger.row import Row
from tests.laws import ledger_laws as laws
from tests.laws.ledger_world import Model, Scenario, World

FEW_TRIES = 2
"""What holds for two tries holds for six, and there is less to walk."""


@dataclass
class Walk:
    """What was seen of a scenario: `whole` when there is no more to see, else everything within `depth` steps."""

    name: str
    states: int = 0
    steps: int = 0
    depth: int = 0
    whole: bool = False

    def __str__(self) -> str:
        size = "all of it" if self.whole else f"all within {self.depth} steps"
        return f"{self.name}: {self.states} states, {self.steps} steps, {size}"


class Broken(AssertionError):
    """A law does not hold; says what happened before."""


def explore(scenario: Scenario, *, depth: int | None = None, most: int = sys.maxsize) -> Walk:
    """Walk through everything that may happen, at most so deep, and no further once so many states were seen. Raises Broken."""
    model, walk = Model(scenario), Walk(scenario.name)
    border = [model.begin()]
    came: dict[Any, tuple[Any, str]] = {border[0].key: (None, "")}
    while border and walk.depth < (depth or scenario.depth):
        following: list[World] = []
        for world in border:
            try:
                laws.check_world(world)
                for name, after in model.ways(world):
                    walk.steps += 1
                    if after.key not in came:
                        came[after.key] = world.key, name
                        following.append(after)
            except (AssertionError, InternalBug, LookupError, RuntimeError) as error:
                raise Broken(f"{scenario.name}: {error or repr(error)}\n{_retold(came, world, model.trying)}") from error
            if len(came) > most:
                walk.states = len(came)
                return walk
        border = following
        walk.depth += 1
    walk.states, walk.whole = len(came), not border
    return walk


def _retold(came: Mapping[Any, tuple[Any, str]], world: World, then: str) -> str:
    """How it came to this world, what it is, and what was tried in it."""
    story: list[str] = []
    at: Any = world.key
    while at is not None:
        at, name = came[at]
        story.append(name)
    rows = "\n".join(f"    {_short(row)}" for row in world.book.rows)
    return "  " + "\n  ".join(filter(None, reversed(story))) + f"\n{rows}\n    {world[2:-1]}\n  {then}"


def _short(row: Row) -> str:
    """A row in one line."""
    flags = " ".join(name for name in ("stuck", "aware", "noticed", "stale", "risked", "taken_back") if getattr(row, name))
    return f"{row.id}: {row.kind} {row.fact} {row.verdict} {row.told} {row.why} {flags}".rstrip()


if __name__ == "__main__":
    from tests.laws.ledger_scenarios import SCENARIOS, UNKNOWN

    rules.TRIES = rules.OUTBOX_TRIES = FEW_TRIES  # type: ignore[misc]
    for each in (*SCENARIOS, *UNKNOWN):
        if "".join(sys.argv[2:]) in each.name:
            print(explore(each, depth=sys.maxsize, most=int(sys.argv[1])), flush=True)
