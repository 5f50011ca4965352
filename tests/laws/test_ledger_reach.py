"""Everything that may happen to a call's effects, as far as some steps reach, in the world of `ledger_world`.

Breadth first over the shipped rules: any armed deadline may pass at any moment, a request may be lost, late, doubled or never
sent, the owner may die between its write and what follows, and another takes over. A law that breaks is told with the whole
story that led there. What holds up the laws is shown by taking it away: each time a story is found that breaks one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agentd.ledger import book, rules
from agentd.ledger.events import Answer, Found, Says
from agentd.ledger.row import Kind, Row
from tests.laws.ledger_scenarios import BURIED, HOLD, SCENARIOS, UNKNOWN
from tests.laws.ledger_walk import FEW_TRIES, Broken, explore
from tests.laws.ledger_world import Fault, Scenario, effect


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRIES", "OUTBOX_TRIES"):
        monkeypatch.setattr(rules, name, FEW_TRIES)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_nothing_within_reach_breaks_a_law(scenario: Scenario) -> None:
    print(explore(scenario))


@pytest.mark.parametrize("scenario", UNKNOWN, ids=lambda scenario: scenario.name)
def test_no_unknown_outcome_breaks_a_law(scenario: Scenario) -> None:
    print(explore(scenario))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [*SCENARIOS, *UNKNOWN], ids=lambda scenario: scenario.name)
def test_nothing_within_far_reach_breaks_a_law(scenario: Scenario) -> None:
    print(explore(scenario, depth=scenario.depth + 6, most=50_000))


# ── What holds up the laws ───────────────────────────────────────────────────────────────────────────────────────────────

OBJECTED = Scenario(
    "told, and objected to",
    {"a": effect("a", Kind.COMPENSABLE)},
    says=(Says.RETRACT,), hang_up=False,
)  # fmt: skip
PAUSED = Scenario(
    "an owner that is paused while it tells",
    {"a": effect("a", Kind.COMPENSABLE, on_doubt="drop")},
    crashes=1,
)  # fmt: skip
LATE = Scenario(
    "a request that is late",
    {"a": effect("a", Kind.COMPENSABLE, **BURIED)},
    faults=frozenset({Fault.LATE}), clocks=HOLD,
)  # fmt: skip
DEPOSIT = Scenario(
    "a deposit that needs a booking",
    {"a": effect("a", Kind.COMPENSABLE), "pay": effect("pay", Kind.PIVOT, needs=("a",))},
    says=(Says.ASSENT,),
)  # fmt: skip
TEXT = Scenario(
    "a text that needs a hold",
    {"a": effect("a", Kind.HELD), "text": effect("text", Kind.DEFERRED, needs=("a",))},
)  # fmt: skip

Patch = pytest.MonkeyPatch


def _no_freeze(patch: Patch) -> None:
    patch.setattr(rules.Rules, "_freeze", lambda self: None)


def _no_order(patch: Patch) -> None:
    for module in (book, rules):
        patch.setattr(module, "ready", lambda book, row: True)


def _not_found_is_final(patch: Patch) -> None:
    found = rules.Rules._found

    def final(self: rules.Rules, row: Row, answer: Answer) -> None:
        if answer is Found.ABSENT:
            self._refused(row, "not found")
        else:
            found(self, row, answer)

    patch.setattr(rules.Rules, "_found", final)


def _nothing(patch: Patch) -> None:
    """What is missing is missing in the world."""


@pytest.mark.parametrize(
    ("scenario", "take_away", "breaks"),
    [
        (OBJECTED, _no_freeze, "kept over an objection"),
        (replace(OBJECTED, guarded=False), _nothing, "kept over an objection"),
        (replace(PAUSED, fenced=False), _nothing, "has a second verdict"),
        (LATE, _not_found_is_final, "absent, and the world has it"),
        (replace(LATE, tombs=False), _nothing, "absent, and the world has it"),
        (DEPOSIT, _no_order, "leaves without a"),
        (TEXT, _no_order, "leaves before a is settled"),
    ],
    ids=["the freeze", "the guard", "the fence", "the undo", "the tombstone", "the order of a pivot", "the order of a text"],
)
def test_taken_away_it_breaks_a_law(
    scenario: Scenario, take_away: Callable[[Patch], None], breaks: str, monkeypatch: Patch
) -> None:
    whole = explore(replace(scenario, guarded=True, fenced=True, tombs=True), depth=12)
    assert whole.states > 100, "with everything in its place no law breaks"
    take_away(monkeypatch)
    with pytest.raises(Broken, match=breaks) as broken:
        explore(scenario, depth=12)
    print(broken.value)
