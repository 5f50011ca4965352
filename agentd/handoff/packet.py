"""What the human knows before the first word: who calls, what they want, what was tried, what was said last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agentd.messages import Said

LAST_WORDS: Final = 6
"""Lines of the conversation that go along: what both have fresh in their ears."""


def packet(
    *,
    call_id: str,
    call_from: str,
    flow: str,
    target: str,
    number: str,
    why: str,
    wants: str,
    slots: Mapping[str, Any],
    conversation: Sequence[Said],
    at: datetime,
) -> dict[str, Any]:
    """The handover as JSON-able values. `slots` are already written as JSON; `why` is asked | escalated | failed."""
    spoken = [line for line in conversation if line.who != "tool"]
    return {
        "call": call_id,
        "at": at.isoformat(),
        "who": {"number": call_from, "name": slots.get("name")},
        "to": {"target": target, "number": number},
        "why": why,
        "wants": wants,
        "slots": dict(slots),
        "tried": [line.text for line in conversation if line.who == "tool"],
        "last_words": [{"who": line.who, "text": line.text, "cut": line.cut} for line in spoken[-LAST_WORDS:]],
    }


def spoken_summary(wants: str, slots: Mapping[str, Any], say: Mapping[str, str]) -> str:
    """One sentence for the human's ear, before the two are connected; `say` has the slots in words."""
    known = ", ".join(f"{name.replace('_', ' ')} {say[name]}" for name in slots if say.get(name))
    wish = f"The caller said: {wants}." if wants else "The caller asked for a person."
    return f"{wish} Known so far: {known}." if known else wish
