"""What the human knows before the first word: who calls, what they want, what was tried, what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from agentd.flow.model import Flow
from agentd.handoff.gist import Gist
from agentd.messages import FlowState, Outcome, Said, UseTool

LAST_WORDS: Final = 6
"""Lines of the conversation that go along: what both have fresh in their ears."""

SPOKEN_WISHES: Final = 2
"""Wishes in the sentence that is spoken: more of them nobody keeps in mind."""

_REASONS: Final = {
    "flow": "who asked for a person",
    "escalated": "whom I could not help",
    "failed": "whom I could not help, because something went wrong on my side",
}


def packet(
    flow: Flow, state: FlowState, conversation: Sequence[Said], gist: Gist, *, call: str, caller: str, why: str, at: datetime
) -> dict[str, Any]:
    """The handover as JSON-able values.

    `slots` are as JSON, `slots_said` the same in words; `tried` says in words what became of each tool. `why` is flow (its own
    way) | escalated | failed.
    """
    slots = flow.written(state)
    target = flow.state(state).transfer
    spoken = [line for line in conversation if line.who != "tool"]
    return {
        "call": call,
        "at": at.isoformat(),
        "who": {"number": caller, "name": slots.get("name")},
        "to": {"target": target, "number": flow.transfers.get(target, "")},
        "why": why,
        "wants": list(gist.wants),
        "slots": slots,
        "slots_said": said_slots(flow, state, at),
        "tried": [_told(flow, outcome, at) for outcome in gist.tried],
        "last_words": [{"who": line.who, "text": line.text, "cut": line.cut} for line in spoken[-LAST_WORDS:]],
    }


def spoken_summary(flow: Flow, state: FlowState, gist: Gist, why: str, at: datetime) -> str:
    """One sentence before the two are connected; the caller may hear it too, so that it holds nothing but their own words."""
    said = " and ".join(f"“{wish}”" for wish in gist.wants[-SPOKEN_WISHES:])
    caller = f"Handing over a caller {f'who said {said}' if said else _REASONS.get(why, 'who asked for a person')}"
    known = ", ".join(f"{_plain(name)} {words}" for name, words in said_slots(flow, state, at).items())
    return f"{caller}; noted so far: {known}." if known else f"{caller}."


def said_slots(flow: Flow, state: FlowState, at: datetime) -> dict[str, str]:
    """The slots that are known, in words, as one says them at `at`."""
    now = flow.local(at.isoformat())
    words = {name: flow.said(name, value, now) for name, value in state.slots.items()}
    return {name: text for name, text in words.items() if text}


def _told(flow: Flow, outcome: Outcome, at: datetime) -> str:
    """A tool, what it was asked and what became of it, in words."""
    use = outcome.proposal
    assert isinstance(use, UseTool)
    now = flow.local(at.isoformat())
    asked = [
        f"{_plain(name)} {flow.said(name, value, now) if name in flow.slots else value}"
        for name, value in use.args.items()
        if value is not None
    ]
    return f"{', '.join([_plain(use.tool), *asked])}: {_result(flow, outcome, now)}"


def _result(flow: Flow, outcome: Outcome, now: datetime) -> str:
    tool, found = flow.tools.get(outcome.proposal.tool), outcome.result  # type: ignore[union-attr]
    match outcome.status:
        case "done" if found is None or found == [] or found == ():
            return "found nothing"
        case "done" if tool and tool.offers and isinstance(found, list | tuple):
            return f"found {flow.slots[tool.offers].spoken.say_all(found, now)}"
        case "done":
            return f"found {found}"
        case "timeout":
            return "gave no answer in time"
        case status:
            return f"{status} ({outcome.why})" if outcome.why else status


def _plain(name: str) -> str:
    return name.replace("_", " ")
