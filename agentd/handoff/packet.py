"""What the human knows before the first word: who calls, what they want, what was done and what is open, what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from agentd.flow.effects import EffectTool
from agentd.flow.model import Flow
from agentd.handoff.effects import HOW, Fate, brief, by_fate, plain, whole
from agentd.handoff.gist import Gist
from agentd.messages import Effect, FlowState, Outcome, Said, UseTool

LAST_WORDS: Final = 6
"""Lines of the conversation that go along: what both have fresh in their ears."""

SPOKEN_WISHES: Final = 2
"""Wishes in the sentence that is spoken: more of them nobody keeps in mind."""

SPOKEN_EFFECTS: Final = 2
"""Effects of one fate in that sentence, for the same reason."""

_FATES: Final = {
    Fate.DONE: "done",
    Fate.UNDONE: "undone",
    Fate.OPEN: "still open",
    Fate.UNKNOWN: "not known whether done",
}

_REASONS: Final = {
    "flow": "who asked for a person",
    "escalated": "whom I could not help",
    "failed": "whom I could not help, because something went wrong on my side",
}


def packet(
    flow: Flow, state: FlowState, conversation: Sequence[Said], gist: Gist, *, call: str, caller: str, why: str, at: datetime
) -> dict[str, Any]:
    """The handover as JSON-able values.

    `slots` are as JSON, `slots_said` the same in words; `effects` says what was done, undone, is open and is not known, `tried`
    what became of each tool that only looked something up, or was refused. `why` is flow (its own way) | escalated | failed.
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
        "effects": _effects(flow, gist, at),
        "tried": [_told(flow, outcome, at) for outcome in gist.tried if not _is_told_as_effect(flow, outcome)],
        "last_words": [{"who": line.who, "text": line.text, "cut": line.cut} for line in spoken[-LAST_WORDS:]],
    }


def spoken_summary(flow: Flow, state: FlowState, gist: Gist, why: str, at: datetime) -> str:
    """One sentence before the two are connected; the caller hears it too, so that it holds nothing but their own matters."""
    said = " and ".join(f"“{wish}”" for wish in gist.wants[-SPOKEN_WISHES:])
    caller = f"Handing over a caller {f'who said {said}' if said else _REASONS.get(why, 'who asked for a person')}"
    known = ", ".join(f"{plain(name)} {words}" for name, words in said_slots(flow, state, at).items())
    now = flow.local(at.isoformat())
    effects = {
        _FATES[fate]: ", ".join(dict.fromkeys(brief(flow, effect, now) for effect in found[-SPOKEN_EFFECTS:]))
        for fate, found in by_fate(gist.effects).items()
    }
    parts = effects | {"noted so far": known}
    return "; ".join([caller, *(f"{name}: {words}" for name, words in parts.items() if words)]) + "."


def said_slots(flow: Flow, state: FlowState, at: datetime) -> dict[str, str]:
    """The slots that are known, in words, as one says them at `at`."""
    now = flow.local(at.isoformat())
    words = {name: flow.said(name, value, now) for name, value in state.slots.items()}
    return {name: text for name, text in words.items() if text}


def _effects(flow: Flow, gist: Gist, at: datetime) -> dict[str, list[str]]:
    """The effects by what became of them, each in words."""
    now = flow.local(at.isoformat())

    def words(effect: Effect) -> str:
        return ": ".join(filter(None, [whole(flow, effect, now), HOW.get(effect.state, "")]))

    return {fate.value: [words(effect) for effect in found] for fate, found in by_fate(gist.effects).items()}


def _is_told_as_effect(flow: Flow, outcome: Outcome) -> bool:
    use = outcome.proposal
    return not isinstance(use, UseTool) or (isinstance(flow.tools.get(use.tool), EffectTool) and outcome.status != "refused")


def _told(flow: Flow, outcome: Outcome, at: datetime) -> str:
    """A tool, what it was asked and what became of it, in words."""
    use = outcome.proposal
    assert isinstance(use, UseTool)
    now = flow.local(at.isoformat())
    asked = [
        f"{plain(name)} {flow.said(name, value, now) if name in flow.slots else value}"
        for name, value in use.args.items()
        if value is not None
    ]
    return f"{', '.join([plain(use.tool), *asked])}: {_result(flow, outcome, now)}"


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
