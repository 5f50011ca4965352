"""What is proposed of the call's own effects: only what is open can be let go, and only what is there can be named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentd.actors.memory import Memory
from agentd.messages import Outcome, Retract
from tests.calls.script import LONELY

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def retracted(effect: str, state: str) -> Outcome:
    """The outcome of a retraction, in a call whose one effect `e` is in this state."""
    _, (outcome,) = Memory(LONELY.start()).settle(LONELY, (Retract(effect),), NOON, {"e": state})
    return outcome


@pytest.mark.parametrize("state", ["running", "open", "asking", "waiting"])
def test_what_is_open_can_be_retracted(state: str) -> None:
    assert retracted("e", state).status == "done"


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("keeping", "it is kept: take it back instead"),
        ("kept", "it is kept: take it back instead"),
        ("dropping", "it is dropping: there is nothing to retract"),
        ("dropped", "it is dropped: there is nothing to retract"),
        ("failed", "it is failed: there is nothing to retract"),
        ("unknown", "it is unknown: there is nothing to retract"),
        ("taken_back", "it is taken back: there is nothing to retract"),
    ],
)
def test_a_verdict_is_given_once_whatever_is_proposed(state: str, why: str) -> None:
    outcome = retracted("e", state)
    assert (outcome.status, outcome.why) == ("refused", why)


def test_another_calls_effect_cannot_be_named() -> None:
    outcome = retracted("f", "open")
    assert (outcome.status, outcome.why) == ("refused", "there is no such effect in this call")
