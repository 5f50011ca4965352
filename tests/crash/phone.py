"""What a daemon that is to be killed runs on: engines that cost nothing, and a flow whose tools are a booking office's.

The caller's words are a number in the second sample of each loud frame, an index of `WORDS` (see `ops.bench.stub`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import trio
from pydantic import BaseModel, Field

from agentd.flow import Flow, FreeText, Slots, State, When, compensable, deferred, held, pivot, slot
from agentd.flow.service import Service
from agentd.messages import Effect, Fire, Frame, Proposal, Segment, TakeBack, ThinkRequest, UseTool
from agentd.offload import Offload
from agentd.providers.base import Begin, Finish, Heard, RecognizerInput, RecognizerOutput, Thought
from agentd.providers.base import Final as LastWords
from ops.bench.stub import vad, voice

WORDS: Final = ("", "book it", "hold it", "yes", "text me", "charge me", "no don't book it", "something else", "cancel it")
SILENT, BOOK, HOLD, YES, TEXT, CHARGE, RETRACT, REVISE, CANCEL = range(len(WORDS))

OFFICE: Final = Service(os.environ.get("OFFICE_URL", "http://127.0.0.1:9"), allow_private=True)


class Wish(Slots):
    """What the tools take; nobody is asked for it."""

    when: FreeText | None = slot(ask="When?")
    amount: FreeText | None = slot(ask="How much?")


Word = Annotated[str, Field(pattern="^[0-9a-f]{12}$")]


class Slot(BaseModel):
    """An appointment."""

    when: Word


class Sum(BaseModel):
    """A deposit."""

    amount: Word


book = compensable(tell="You are booked for {when}.", identity=["when"], honours_key=True, tombstone=True, timeout=3.0)(
    OFFICE.endpoint("POST /appointments", name="book", args=Slot)
)
book.undo(OFFICE.endpoint("DELETE /appointments/{effect}"))
book.status(OFFICE.endpoint("GET /effects/{effect}"))
hold = held(
    ask="Shall I book {when}?",
    tell="I have booked {when}.",
    identity=["when"],
    ttl=300,
    honours_key=True,
    tombstone=True,
    timeout=3.0,
)(OFFICE.endpoint("POST /holds", name="hold", args=Slot))
hold.confirm(OFFICE.endpoint("POST /holds/{effect}/confirm"))
hold.cancel(OFFICE.endpoint("DELETE /holds/{effect}"))
hold.undo(OFFICE.endpoint("DELETE /appointments/{effect}"))
hold.status(OFFICE.endpoint("GET /effects/{effect}"))
text = deferred(tell="I will text you at {when}.", identity=["when"], needs=[hold], honours_key=True, timeout=3.0)(
    OFFICE.endpoint("POST /texts", name="text", args=Slot)
)
charge = pivot(
    ask="Shall I charge {amount}?",
    tell="I have charged {amount}.",
    identity=["amount"],
    needs=[hold],
    honours_key=True,
    timeout=3.0,
)(OFFICE.endpoint("POST /deposits", name="charge", args=Sum))

FLOW: Final = Flow(
    "phone",
    states=[State("open", say="hello", fills=Wish, tools=[book, hold, text, charge]), State("bye", say="goodbye", final=True)],
    transitions=[When("wants_end", "open", "bye", "goodbye")],
    disclosure=False,
    help="bookings",
)


class _Recognizer:
    remote = False

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        words = ""
        async for item in audio:
            match item:
                case Begin(number):
                    words = ""
                case Frame(pcm=pcm):
                    if not words and pcm[0] | pcm[1]:
                        words = WORDS[pcm[2] % len(WORDS)]
                        await out(Heard(number, words, True))
                case Finish(number):
                    await out(LastWords(number, words, True))


class _Thinker:
    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        """Does what it is told, each time for another value."""
        wish = self._wish(request) if request.why == "reply" and not request.round and not request.took else None
        if wish is not None:
            return Thought((wish,))
        await say(Segment(request.reply, request.next_segment, f"so {request.reply.turn} {request.reply.epoch}"))
        return Thought()

    def _wish(self, request: ThinkRequest) -> Proposal | None:
        value, last = secrets.token_hex(6), request.effects[-1] if request.effects else None
        match request.text:
            case "book it" | "hold it" as what:
                return UseTool(value, what.split()[0], {"when": value})
            case "text me":
                return UseTool(value, "text", {"when": value})
            case "charge me":
                return UseTool(value, "charge", {"amount": value})
            case "something else" if last is not None and _can_change(last):
                return UseTool(value, last.tool, {"when": value}, replaces=last.id)
            case "cancel it" if last is not None and last.state == "kept":
                return TakeBack(value, last.id)
            case "goodbye":
                return Fire("wants_end")
        return None


def _can_change(effect: Effect) -> bool:
    return effect.tool in {"book", "hold"} and effect.state in {"open", "asking", "kept"}


def recognizer(offload: Offload, calls: int) -> _Recognizer:
    """See agentd.providers.registry."""
    return _Recognizer()


def thinker(flow: Flow) -> _Thinker:
    """See agentd.providers.registry."""
    return _Thinker()


__all__ = ["FLOW", "recognizer", "thinker", "vad", "voice"]
