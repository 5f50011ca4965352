"""Invented calls in the ledger's world: any effects, any remote, any order of events, under the laws of `ledger_laws`.

Where the model check walks small scenarios through, this one goes deep into large ones. At its end each call is left alone:
the caller goes, nothing more goes wrong, and everything has to settle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from agentd.ledger import rules
from agentd.ledger.events import Ask, Clock, Entered, Event, Retracted, Says, TakenBack
from agentd.ledger.row import Kind
from tests.laws import ledger_laws as laws
from tests.laws.ledger_walk import FEW_TRIES
from tests.laws.ledger_world import Fault, Model, Scenario, Way, World, effect

AFTER = (Kind.DEFERRED, Kind.PIVOT)
KINDS = (Kind.COMPENSABLE, Kind.HELD, *AFTER)
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")
WORDS = (*(5 * (Says.ASSENT,)), *(3 * (Says.OTHER,)), Says.NO, Says.RETRACT)


def traits(luck: Random) -> dict[str, Any]:
    """What a remote is capable of, and what its tool's author declared."""
    able = ("honours_key", "stores_refusals", "status", "tombstone")
    declared = {"on_doubt": luck.choice(("keep", "drop")), "repeat": luck.choice(("ask", "replay", "new"))}
    return {**{name: luck.random() < 0.5 for name in able}, **declared, "old_first": luck.random() < 0.2}


def scenario(luck: Random) -> Scenario:
    """A call with up to eight effects of three tools, of which the later ones may need the earlier ones: other acts, the same
    act again, and revisions of what went before; each of them may be retracted or taken back."""
    needs = [(), *((luck.choice([(), ("tool 0",), ("tool 0", "tool 1")[:n]])) for n in (1, 2))]
    tools = [(luck.choice(AFTER if needs[n] else KINDS), traits(luck)) for n in range(3)]
    offers: dict[str, Event] = {"moves on": Entered(frozenset({"tool 0"}))}
    made: list[list[str]] = [[], [], []]
    for name in NAMES:
        number = luck.choice([0, 0, 1, 2])
        kind, declared = tools[number]
        offers[f"proposes {name}"] = effect(
            name, kind, tool=f"tool {number}", identity=luck.choice("xyz"),
            needs=needs[number],
            replaces=luck.choice(made[number]) if made[number] and luck.random() < 0.5 else "",
            keep_on="yes" if kind is Kind.HELD and number else "told", **declared,
        )  # fmt: skip
        made[number].append(name)
        offers[f"retracts {name}"] = Retracted(name)
        offers[f"takes back {name}"] = TakenBack(f"{name} back", f"use of {name} back", name)
    return Scenario(
        "invented", offers, says=tuple(Says), turns=99, marks=99, crashes=2, faults=frozenset(Fault),
        refuses=frozenset(Ask), clocks=frozenset(Clock), human=True,
    )  # fmt: skip


WELL = ("proposes", "answers", "tells", "guards", "says")
"""What happens in a call that goes well; it is chosen so often that calls get far."""
OTHERWISE = ("thinker", "carrier", "caller", "remote", "time", "human")
"""Any of the ways that a part of the world may go."""
MOVES = (*(10 * WELL), *OTHERWISE, "goes wrong")


class Call(RuleBasedStateMachine):
    """One call. It has one rule, since Hypothesis leaves out rules at times, and a call needs all parts of its world."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.model = Model(scenario(Random(number)))
        self.world = self.model.begin()
        self.steps = 0

    @rule(luck=st.integers(0, 2**32))
    def happens(self, luck: int) -> None:
        """Luck is stirred, since Hypothesis likes the same choice again and again."""
        self.steps += 1
        stirred = Random(f"{self.number} {self.steps} {luck}").getrandbits(32)
        which, what = divmod(stirred, len(MOVES))
        self._happens(MOVES[what], which)

    def _happens(self, what: str, which: int) -> None:
        model = self.model
        match what:
            case "proposes":
                self._go(model.offers, which, "proposes")
            case "answers":
                for _ in range(len(self.world.flight)):
                    self._go(model.remote, 0)
            case "tells":
                for name in ("begins", "sounds", "was played"):
                    self._go(model.carrier, 0, name)
            case "guards":
                self._go(model.time, which, "guard")
            case "says":
                for name in ("begins", "noticed", f"says {WORDS[which % len(WORDS)]}"):
                    self._go(model.caller, 0, name)
            case "goes wrong":
                if which % 8 == 0 and len(self.world.book.rows) > 1:
                    self._go(model.trouble, which)
            case _:
                parts = (model.offers, model.carrier, model.caller, model.remote, model.time, model.human)
                self._go(dict(zip(OTHERWISE, parts, strict=True))[what], which)

    def _go(self, part: Callable[[World], Iterator[Way]], which: int, name: str = "") -> None:
        """One of the ways that part of the world may go, if any is called so."""
        ways = [world for called, world in part(self.world) if name in called]
        if ways:
            self.world = ways[which % len(ways)]

    @invariant()
    def the_laws_hold(self) -> None:
        laws.check_world(self.world)

    def teardown(self) -> None:
        """Left alone, everything settles, or waits for a human."""
        if not self.world.book.over:
            self._go(self.model.trouble, 0, "hangs up")
        for _ in range(40 * (1 + len(self.world.book.rows))):
            self.the_laws_hold()
            if self.world.book.settled and not self.world.flight:
                return
            self._go(self.model.remote if self.world.flight else self.model.time, 0)
        raise AssertionError("it does not settle")


def conduct(calls: int, steps: int) -> None:
    """Invent calls, each four times, the same ones in every run."""
    odd = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    size = settings(
        max_examples=4, stateful_step_count=steps, derandomize=True, deadline=None, database=None, suppress_health_check=odd
    )
    for number in range(calls):
        run_state_machine_as_test(partial(Call, number), settings=size)


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRIES", "OUTBOX_TRIES"):
        monkeypatch.setattr(rules, name, FEW_TRIES)


def test_the_laws_hold_in_some_calls() -> None:
    conduct(120, 100)


@pytest.mark.slow
def test_the_laws_hold_in_many_calls() -> None:
    conduct(600, 150)
