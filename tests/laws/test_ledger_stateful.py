"""Invented calls in the ledger's world: any effects, any remote, any order of events, under the laws of `ledger_laws`.

Where the model check walks small scenarios through, this one goes deep into large ones. At its end each call is left alone:
the caller goes, nothing more goes wrong, and everything has to settle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from agentd.ledger import rules
from agentd.ledger.events import Ask, Clock, Entered, Event, Retracted, Says, TakenBack
from agentd.ledger.row import Kind
from tests.laws import ledger_laws as laws
from tests.laws.ledger_walk import FEW_TRIES
from tests.laws.ledger_world import Fault, Model, Scenario, Way, World, effect

KINDS = st.sampled_from([Kind.COMPENSABLE, Kind.HELD, Kind.DEFERRED, Kind.PIVOT])
TRAITS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("honours_key", "stores_refusals", "status", "tombstone", "old_first"), st.booleans()),
        "on_doubt": st.sampled_from(["keep", "drop"]),
        "repeat": st.sampled_from(["ask", "replay", "new"]),
    }
)
NAMES = ("a", "b", "c", "d", "e")


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A call with up to five effects of three tools: other acts, the same act again, revisions of earlier ones, and what
    needs an earlier one; each of them may be retracted or taken back."""
    offers: dict[str, Event] = {"elsewhere": Entered(frozenset({"tool 0"}))}
    tools = [(draw(KINDS), draw(TRAITS), draw(st.booleans())) for _ in range(3)]
    for place, name in enumerate(NAMES):
        number = draw(st.integers(0, 2))
        kind, traits, asks = tools[number]
        held = kind is Kind.HELD and asks
        earlier = draw(st.sampled_from(["", *NAMES[:place]])) if place else ""
        needs = tuple(f"tool {other}" for other in range(number)) if kind in {Kind.DEFERRED, Kind.PIVOT} and asks else ()
        offers[name] = effect(
            name, kind, tool=f"tool {number}", needs=needs, replaces=earlier, identity=draw(st.sampled_from("xy")),
            keep_on="yes" if held else "told", **traits,
        )  # fmt: skip
        offers[f"not {name}"] = Retracted(name)
        offers[f"{name} back"] = TakenBack(f"{name} back", f"use of {name} back", name)
    return Scenario(
        "invented", offers, says=tuple(Says), turns=20, marks=50, crashes=2, faults=frozenset(Fault),
        refuses=frozenset(Ask), clocks=frozenset(Clock), human=True,
    )  # fmt: skip


class Call(RuleBasedStateMachine):
    """One call. Each rule takes one of the ways that a part of the world may go."""

    model: Model
    world: World

    @initialize(scenario=scenarios())
    def begin(self, scenario: Scenario) -> None:
        self.model = Model(scenario)
        self.world = self.model.begin()

    def _go(self, part: Callable[[World], Iterator[Way]], choice: int) -> None:
        ways = list(part(self.world))
        if ways:
            self.world = ways[choice % len(ways)][1]

    @rule(choice=st.integers(0, 50))
    def the_thinker_proposes(self, choice: int) -> None:
        self._go(self.model.offers, choice)

    @rule(choice=st.integers(0, 3))
    def something_is_told(self, choice: int) -> None:
        self._go(self.model.carrier, choice)

    @rule(choice=st.integers(0, 7))
    def the_caller_speaks(self, choice: int) -> None:
        self._go(self.model.caller, choice)

    @rule(choice=st.integers(0, 30))
    def a_request_arrives(self, choice: int) -> None:
        self._go(self.model.remote, choice)

    @rule()
    def requests_are_answered(self) -> None:
        for _ in range(len(self.world.flight)):
            self._go(self.model.remote, 0)

    @rule(choice=st.integers(0, 20))
    def a_deadline_passes(self, choice: int) -> None:
        self._go(self.model.time, choice)

    @rule(choice=st.integers(0, 20))
    def a_human_looks(self, choice: int) -> None:
        self._go(self.model.human, choice)

    @precondition(lambda self: self.world.book.rows)
    @rule(rare=st.integers(0, 9), choice=st.integers(0, 3))
    def there_is_trouble(self, rare: int, choice: int) -> None:
        if not rare:
            self._go(self.model.trouble, choice)

    @invariant()
    def the_laws_hold(self) -> None:
        if hasattr(self, "world"):
            laws.check_world(self.world)

    def teardown(self) -> None:
        """Left alone, everything settles, or waits for a human."""
        if not hasattr(self, "world"):
            return
        if not self.world.book.over:
            self._go(self.model.trouble, 0)
        for _ in range(40 * (1 + len(self.world.book.rows))):
            self.the_laws_hold()
            if self.world.book.settled and not self.world.flight:
                return
            self._go(self.model.remote if self.world.flight else self.model.time, 0)
        raise AssertionError("it does not settle")


def conduct(calls: int, steps: int) -> None:
    """Invent calls, the same ones in every run."""
    odd = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    size = settings(
        max_examples=calls, stateful_step_count=steps, derandomize=True, deadline=None, database=None, suppress_health_check=odd
    )
    run_state_machine_as_test(Call, settings=size)


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRIES", "OUTBOX_TRIES"):
        monkeypatch.setattr(rules, name, FEW_TRIES)


def test_the_laws_hold_in_some_calls() -> None:
    conduct(200, 40)


@pytest.mark.slow
def test_the_laws_hold_in_many_calls() -> None:
    conduct(2000, 60)
