"""The thinker: turns a request into segments, which go to the speaker, and proposals, which go to the conductor.

It thinks one round at a time and keeps nothing between rounds but the texts of the reply at hand. A newer epoch drops the
round that is running.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import trio

from agentd import limits
from agentd.actors.kit import Mailbox, open_jobs
from agentd.messages import (
    ClaimStopped,
    Effect,
    NewEpoch,
    Proposal,
    Reply,
    ReplyEnd,
    Retract,
    RoundDone,
    Segment,
    TakeBack,
    ThinkFailed,
    ThinkRequest,
    UseTool,
)
from agentd.providers.base import Thinker

_CUT: Final = " …"


class ThinkerActor:
    """One call's mind. `speaker` is the media plane's next station, `report` the conductor's mailbox.

    `truth` answers what is said in place of a sentence that claims what the effects do not bear out, None for any other.
    """

    def __init__(
        self,
        mailbox: Mailbox[ThinkRequest | NewEpoch],
        speaker: Mailbox[Segment | ReplyEnd | NewEpoch],
        report: Mailbox[object],
        thinkers: tuple[Thinker, ...],
        truth: Callable[[str, tuple[Effect, ...]], str | None],
    ) -> None:
        self._mailbox, self._speaker, self._report, self._thinkers = mailbox, speaker, report, thinkers
        self._truth = truth

    async def run(self, provider: int) -> None:
        """Think until cancelled. Cancelled: the round is dropped; segments that were handed over stand.

        Raises what the thinker raises: the supervisor restarts this actor, and the conductor asks again.
        """
        self._thinker = self._thinkers[provider]
        self._reply: Reply | None = None
        self._said: list[str] = []
        self._told: set[str] = set()
        self._mailbox.drain()
        async with open_jobs() as jobs:
            while True:
                match await self._mailbox.receive():
                    case NewEpoch():
                        jobs.drop()
                    case ThinkRequest() as request:
                        jobs.drop()
                        jobs.start(self._think, request)

    async def _think(self, request: ThinkRequest) -> None:
        """One round. Cancelled: what was said stands, nothing more is reported."""
        if request.reply != self._reply:
            self._reply, self._said, self._told = request.reply, [], set()
        began, first, number = trio.current_time(), None, request.next_segment
        tells, questions = list(request.tells), list[Segment]()

        async def speak(segment: Segment) -> None:
            nonlocal number
            await self._speaker.send(_bounded(replace(segment, index=number)))
            number += 1

        async def tell() -> None:
            while tells:
                self._told.add(tells[0].effect)
                await speak(tells.pop(0))

        async def say(segment: Segment) -> None:
            nonlocal first
            first = first or trio.current_time()
            if len(self._said) + len(questions) >= limits.SEGMENTS:
                return
            # Only the machine speaks of its effects; and a model's text may hold what no voice can encode.
            segment = replace(segment, reply=request.reply, text=segment.text.encode(errors="replace").decode(), effect="")
            if request.ask is not None and segment.text.endswith("?"):
                questions.append(segment)  # the machine's own takes its place, where that is asked
            else:
                await utter(segment)

        async def utter(segment: Segment) -> None:
            await tell()
            truth = self._truth(segment.text, tuple(map(self._as_told, request.effects)))
            if truth is not None:
                await self._report.send(ClaimStopped(request.reply, segment.text, trio.current_time()))
                if truth in self._said:
                    return
                segment = replace(segment, text=truth, answer_from=None)
            self._said.append(segment.text)
            await speak(segment)

        with trio.move_on_after(limits.THINK_S) as patience:
            thought = await self._thinker.think(request, say)
        now = trio.current_time()
        if patience.cancelled_caught:
            await self._report.send(ThinkFailed(request.reply, f"no answer within {limits.THINK_S:g} s", now))
            return
        if not (thought.revises or any(map(_takes_back, thought.proposals))):
            await tell()
        if thought.revises:
            for question in questions:
                await utter(question)
        elif not thought.proposals and request.ask is not None:
            await speak(request.ask)
        done = RoundDone(request.reply, request.round, thought.proposals, tuple(self._said), began, first, now)
        done = replace(done, notes=thought.notes, understood=thought.understood, next_segment=number, told=not tells)
        # First the conductor, then the end of the reply on the media plane: it must not be heard before it is known.
        await self._report.send(done)
        if not thought.proposals:
            await self._speaker.send(ReplyEnd(request.reply, number))

    def _as_told(self, effect: Effect) -> Effect:
        """Whoever hears a sentence of this reply has heard before what it told: then what is there is as good as kept."""
        return replace(effect, state="kept") if effect.state == "open" and effect.id in self._told else effect


def _takes_back(proposal: Proposal) -> bool:
    """Whether a proposal makes what was told not so: telling it again would be wrong."""
    return isinstance(proposal, Retract | TakeBack) or (isinstance(proposal, UseTool) and bool(proposal.replaces))


def _bounded(segment: Segment) -> Segment:
    """A segment of one breath: what is longer is cut at a word."""
    if segment.effect or len(segment.text) <= limits.SEGMENT_CHARS:
        return segment
    return replace(segment, text=segment.text[: limits.SEGMENT_CHARS].rsplit(" ", 1)[0] + _CUT)
