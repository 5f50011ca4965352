"""What a flow's functions are given of the call they serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentd.messages import NOTHING

if TYPE_CHECKING:
    from agentd.flow.model import Flow


@dataclass(frozen=True, slots=True)
class Context:
    """What a flow's functions know of the call: the time in the flow's zone, its slots, who calls whom.

    `call` is the call's id, `call_from` who calls and `call_to` the number that was called, as the carrier says: whom a tool
    acts for is read here, and never from an argument. In a tool that changes the world `key` is the Idempotency-Key of the
    request at hand, and `effect` the key under which the thing itself was done; there are no slots there, since the request
    may be sent when the call is long over.
    """

    now: datetime
    slots: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    call_from: str = ""
    flow: Flow | None = field(default=None, repr=False)
    call_to: str = ""
    call: str = ""
    key: str = ""
    effect: str = ""


Words = str | Callable[[Context], str]
"""A text with {slots} in it, or a function that makes one."""
