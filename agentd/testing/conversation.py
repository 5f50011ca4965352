"""A conversation in a call: what its caller does, and what can be seen of it.

*Theory of operation.* The call is a real one (`rig`), in virtual time: the clock jumps from one thing that happens to the next,
and stands still between two verbs of the caller. A reply whose words are known is in the air, with none of it heard: there it
stays until the caller hears it out, cuts in, or hangs up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import trio
from trio.testing import wait_all_tasks_blocked

from agentd.actors.kit import open_jobs
from agentd.flow.model import Flow
from agentd.flow.telling import telling
from agentd.ledger.row import SPOKEN, Kind, Row
from agentd.ledger.storage.store import Store
from agentd.messages import Effect, LedgerMoved, Logged, Owed, Reply, RoundDone, Said, UtteranceEnded
from agentd.testing.rig import Asked, Rig
from agentd.turn.words import normalise

CALM_S: Final = 0.5
"""Behind a reply: longer than the guard after a telling, in which an objection would still count."""

PATIENCE_S: Final = 120.0
"""No verb of the caller's takes longer, on the virtual clock."""

LEAVING: Final = ("transferring", "closing", "ended")
"""The turn machine's states in which no reply is made any more."""


Watch = Callable[[Logged | Asked], None]
"""Is told of every event of the call, and of every request of an effect."""


class Unheard(AssertionError):
    """The agent does not say what the caller wanted to hear, or is not there to hear the caller."""


class Conversation:
    """One call, seen from its caller; made by `place`. `tick` is called every 20 ms."""

    def __init__(self, flow: Flow, store: Store, began: datetime, watch: Watch, tick: Callable[[], None]) -> None:
        self._watch, self._pace, self._news = watch, tick, trio.Event()
        self._state, self._reply, self._whole = "", Reply(0, 0), Reply(-1, -1)
        self._moved_at, self._utterances = 0.0, 0
        self._known: tuple[Effect, ...] = ()
        self._owed: tuple[Owed, ...] = ()
        self._first_word = self._first_text = 0
        self._rig = Rig(flow, store, began, self, watch, self._tick)
        self.outcome = ""
        """How the call ended, in a word; "" while it lasts."""
        self.over = False
        """The call has ended, and so has all that came of it."""

    # ── What can be seen ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def flow(self) -> Flow:
        """The flow that is tried."""
        return self._rig.flow

    @property
    def now(self) -> datetime:
        """The time of day, in the flow's zone."""
        return self._rig.wall().astimezone(self.flow.zone)

    @property
    def state(self) -> str:
        """The flow's state, by name."""
        return self._rig.call.conductor.memory.flow.state

    @property
    def slots(self) -> Mapping[str, Any]:
        """What the flow knows."""
        return MappingProxyType(dict(self._rig.call.conductor.memory.flow.slots))

    @property
    def reply(self) -> str:
        """The agent's last reply, heard or not."""
        return " ".join(self._rig.voice.texts[self._first_text :])

    @property
    def heard(self) -> str:
        """What the caller has heard of it."""
        return " ".join(self._words())

    @property
    def in_the_air(self) -> bool:
        """Whether the reply was not heard out yet, or something may still come of it."""
        return not (self.over or self._is_calm())

    @property
    def conversation(self) -> tuple[Said, ...]:
        """All that was said and heard; of a reply that was cut what was heard of it, and each tool's outcome."""
        return self._rig.call.conductor.memory.conversation

    @property
    def effects(self) -> tuple[Row, ...]:
        """The ledger's rows of what the caller may speak of, as they are on record."""
        return tuple(row for row in self._rig.rows() if row.kind in SPOKEN)

    @property
    def notices(self) -> tuple[Row, ...]:
        """Those of the notices: what the caller is told behind the call, since it could not be told in it."""
        return tuple(row for row in self._rig.rows() if row.kind is Kind.NOTICE)

    @property
    def owed(self) -> tuple[str, ...]:
        """The sentences about effects that the caller has still to hear."""
        effects = {effect.id: effect for effect in self._known}
        due = ((effects[owed.effect], owed.mode) for owed in self._owed if owed.effect in effects and not self.outcome)
        return tuple(telling(self.flow, effect, mode, self.now).text for effect, mode in due)

    @property
    def transferred(self) -> str:
        """Where the call was handed over to, by the flow's name for it; "" where it was not."""
        return self._rig.transferred

    # ── What the caller does ─────────────────────────────────────────────────────────────────────────────────────────

    async def says(self, text: str) -> None:
        """Hear the agent out, then say something. The answer's words are known then, and in the air.

        Cancelled: the words may be said in part.
        """
        await self.hears()
        await self._speak(text)

    async def cuts_in(self, after: str, text: str) -> bool:
        """Say something over the agent's reply, as soon as these words of it were heard; else as `says`.

        As on a phone, the agent stops a fifth of a second later: a short word more may be heard. Answers whether it did; it
        goes on after an "uh-huh". Raises Unheard as `hears`. Cancelled: as `says`.
        """
        await self.hears(after)
        before = self._reply
        await self._speak(text)
        return self._reply != before

    async def hears(self, upto: str = "") -> str:
        """Hear the agent out, and answer what was heard of its reply; or hear it up to these words.

        Raises Unheard where the reply does not have them, and then nothing more of it was heard. Cancelled: some of it was.
        """
        wanted = normalise(upto)
        if wanted and f" {wanted} " not in f" {normalise(self.reply)} ":
            raise Unheard(f"{upto!r} is not in the agent's reply: {self.reply!r}")
        await self._until(lambda: self._is_calm() or (bool(wanted) and f" {wanted} " in f" {normalise(self.heard)} "))
        return self.heard

    async def stays_silent(self) -> None:
        """Hear the agent out and say nothing, until it speaks again by itself or ends the call. Cancelled: as `hears`."""
        await self.hears()
        before = self._reply
        await self._until(lambda: self._reply != before and self._has_answered())

    async def hangs_up(self) -> None:
        """End the call at once, whatever is in the air. Cancelled: its effects may not be settled."""
        self._rig.phone.hang_up()
        await self._until(lambda: False)

    async def _speak(self, text: str) -> None:
        """Cancelled: as `says`."""
        if self.over:
            raise Unheard(f"the call is over ({self.outcome}): nobody hears {text!r}")
        if not normalise(text):
            raise ValueError(f"{text!r} has no words: a caller without any stays_silent()")
        before = self._utterances
        self._rig.phone.say(text)
        await self._until(lambda: self._utterances > before and not self._rig.phone.speaks and self._has_answered())

    # ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Live through the call, and until its effects are settled. Cancelled: the call is cut."""
        async with open_jobs() as jobs:
            jobs.start(self._rig.phone.run)
            self.outcome = await self._rig.call.run()
            await self._rig.settle()
        self.over = True
        self._news.set()

    async def opens(self) -> None:
        """Wait for the agent's first words. Cancelled: as `hears`."""
        await self._until(self._has_answered)

    def write(self, entry: Logged) -> None:
        """See Log."""
        if entry.reply != self._reply and entry.state != "ended":
            self._reply = entry.reply
            self._first_word, self._first_text = len(self._rig.phone.heard()), len(self._rig.voice.texts)
        match entry.event:
            case RoundDone(reply=reply, proposals=()):
                self._whole = reply
            case UtteranceEnded():
                self._utterances += 1
            case LedgerMoved(effects=effects, owed=owed):
                self._known, self._owed = effects, owed
        self._state, self._moved_at = entry.state, entry.at
        self._watch(entry)
        self._news.set()

    def _tick(self) -> None:
        self._pace()
        self._news.set()

    def _words(self) -> list[str]:
        return self._rig.phone.heard()[self._first_word :]

    def _has_answered(self) -> bool:
        """Whether all words of the reply are known; the caller's own may also have come to nothing."""
        return self._state in LEAVING or (self._whole == self._reply and self._state != "yielding")

    def _is_calm(self) -> bool:
        """Whether the agent was heard out, and nothing more comes of what it said."""
        calm = trio.current_time() - self._moved_at >= CALM_S
        return self._state == "listening" and calm and not self._rig.hands.busy

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Let time pass until it holds, or the call is over. Cancelled: it has passed."""
        with trio.move_on_after(PATIENCE_S) as patience:
            while not (self.over or holds()):
                self._news = trio.Event()
                await self._news.wait()
        if patience.cancelled_caught:
            raise Unheard(f"nothing came of it within {PATIENCE_S:g} s: the call is {self._state}, the flow in {self.state}")
        await wait_all_tasks_blocked()
