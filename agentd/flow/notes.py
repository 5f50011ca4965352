"""The flow kit's own small facts about a call, kept in `FlowState.notes` as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from agentd.messages import NOTHING

Kind = Literal["slot", "confirm", "one", "state", "heard", "consent", "effect"]


@dataclass(frozen=True, slots=True)
class Question:
    """What the agent asked last. `closed`: yes or no answers it. `told` is its text up to where an answer may begin.

    The question of kind "effect" is the machine's own, about an effect: the ledger takes its answer.
    """

    kind: Kind
    slot: str = ""
    closed: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """See the fields. Everything is small, and plain once `mapping` wrote it."""

    question: Question | None = None
    asked: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    """How often each slot was asked for in this visit."""

    ran: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: NOTHING)
    """Tools that ran in this visit: their arguments, and what they offered."""

    confirmed: tuple[str, ...] = ()
    """Slots that the caller said yes to."""

    doubt: str = ""
    """Words that were heard unsurely and asked back."""

    last: tuple[str, ...] = ()
    """The segments of the last reply worth repeating."""

    lost: int = 0
    """Turns in a row that got nowhere."""

    misheard: int = 0
    """Turns in a row without words."""

    passing: int | None = None
    """The transition whose words are still to be said."""

    filled: str = ""
    """The slot that was filled last: what "actually, …" most likely corrects."""

    consent: bool | None = None
    """Whether the caller agreed to be recorded; None: not asked, or not answered."""

    owed: tuple[str, ...] = ()
    """Texts that are to be said once the transition that was proposed with them is made."""

    changed: tuple[str, ...] = ()
    """The effects that the caller wants otherwise: what is done next of their kind takes their place."""

    visits: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Notes:
        """Read what `mapping` wrote."""
        known = {name: plain[name] for name in _NAMES if name in plain}
        if known.get("question"):
            known["question"] = Question(**known["question"])
        for name in ("confirmed", "last", "owed", "changed"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)

    def mapping(self) -> dict[str, Any]:
        """As plain values, without what is empty."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        if self.question:
            question = self.question
            plain["question"] = {"kind": question.kind, "slot": question.slot, "closed": question.closed, "told": question.told}
        return {name: _plain(value) for name, value in plain.items() if value != getattr(_EMPTY, name)}

    def offers(self, slot: str) -> tuple[Any, ...]:
        """What a tool offered for `slot`, as JSON values."""
        return next((tuple(run["offers"]) for run in self.ran.values() if run.get("slot") == slot), ())


_NAMES = tuple(item.name for item in fields(Notes))
_EMPTY = Notes()


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]
    return value
