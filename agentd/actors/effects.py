"""What the conductor knows of the ledger: the effects, the sentences that are owed, and what the next reply waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from agentd.actors.ports import Ports
from agentd.flow.model import Flow
from agentd.flow.telling import changes, telling
from agentd.ledger import events as ledger
from agentd.ledger.book import QUESTIONS
from agentd.messages import (
    Effect,
    LedgerMoved,
    Mode,
    Release,
    Reply,
    Rule,
    RunTool,
    Segment,
    TakeBack,
    TellingCut,
    TellingDue,
    TellingPlayed,
    TellingRefused,
    ThinkFailed,
)

SETTLED: Final = frozenset({"kept", "dropped", "failed", "taken_back"})
"""States of effects that nothing changes by itself."""


class Effects:
    """One call's effects, as the tool runner last reported them, and the way to it."""

    def __init__(self, flow: Flow, ports: Ports) -> None:
        self._flow, self._ports = flow, ports
        self.known: tuple[Effect, ...] = ()
        self.busy = False
        """What the caller said yes to is on its way to be done."""
        self.live = False
        """What the caller says may matter to an effect."""
        self.down = False
        """The ledger takes no writes, so that nothing can be told of it."""
        self._frozen = False
        """The ledger knows that the caller may be speaking, and not yet what came of it."""
        self._owed: tuple[tuple[str, Mode], ...] = ()
        self._queued: set[tuple[str, Mode]] = set()

    # ── To the ledger ────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, event: ledger.Event) -> None:
        """Something happened to the caller or the flow; a call without effects costs the ledger nothing."""
        if self.live:
            self._ports.tools.send_nowait(event)

    def freeze(self) -> None:
        """The caller may be speaking."""
        self._frozen = self._frozen or self.live
        self.tell(ledger.Suspected())

    def thaw(self) -> None:
        """It was nothing."""
        if self._frozen:
            self._frozen = False
            self._ports.tools.send_nowait(ledger.Rejected())

    def rule(self, reply: Reply, text: str, onset: int) -> bool:
        """Have the caller's words decide; whether they may, so that `Ruled` answers."""
        if not (self.live or self._frozen):
            return False
        self._frozen = False
        self._ports.tools.send_nowait(Rule(reply, text, onset))
        return True

    def run(self, order: RunTool) -> None:
        """Have a tool run. From here on what happens is told, though no row is known yet."""
        use = order.proposal
        self.live = self.live or isinstance(use, TakeBack) or changes(self._flow, use.tool)
        self._ports.tools.send_nowait(order)

    def gate(self, message: TellingDue | TellingPlayed | TellingCut | Release) -> None:
        """The transport's gate and the ledger's record of what is told: each waits for the other."""
        match message:
            case TellingDue(segment):
                self._ports.tools.send_nowait(ledger.Begin(segment.effect, segment.mode, segment.key))
            case TellingPlayed(segment, _, pos):
                self._ports.tools.send_nowait(ledger.Played(segment.effect, segment.key, pos))
            case TellingCut(segment):
                self._ports.tools.send_nowait(ledger.Cut(segment.effect, segment.key))
            case Release():
                self._ports.transport.send_nowait(message)

    # ── From the ledger ──────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, moved: LedgerMoved) -> None:
        """Take the ledger's news."""
        self.known, self.busy, self.live, self.down = moved.effects, moved.busy, moved.live, False
        self._owed = tuple((owed.effect, owed.mode) for owed in moved.owed)

    def forget_queued(self) -> None:
        """Another reply begins, which has none of the owed sentences yet."""
        self._queued.clear()

    def refused(self, telling: TellingRefused, reply: Reply) -> ThinkFailed | None:
        """Go on without what is not so any more; but of what cannot be put on record the thinker must know."""
        if not self.down:
            self._ports.transport.send_nowait(Release(telling.key, skip=True))
            return None
        this = telling.key.startswith(f"{reply.turn}.{reply.epoch}.")
        return ThinkFailed(reply, telling.why, telling.at) if this else None

    def find(self, name: str) -> Effect | None:
        """The effect of that id."""
        return next((effect for effect in self.known if effect.id == name), None)

    def told(self) -> tuple[Effect, ...]:
        """What the thinker is told; while the ledger is down, nothing for sure but of what was settled before."""
        if not self.down:
            return self.known
        doubt = "outcome unknown: say that a person will check; never retry, never say done or failed."
        return tuple(e if e.state in SETTLED else replace(e, state="unknown", line=doubt) for e in self.known)

    def tells(self, reply: Reply, now: datetime) -> tuple[Segment, ...]:
        """The owed statements that the reply does not have yet. Whoever speaks them gives them their places."""
        owed = [item for item in self._due(questions=False) if item not in self._queued]
        self._queued.update(owed)
        return tuple(self._segment(reply, item, now) for item in owed)

    def ask(self, reply: Reply, now: datetime) -> Segment | None:
        """The owed question; one at a time, since a yes must be to one of them."""
        owed = self._due(questions=True)
        return self._segment(reply, owed[0], now) if owed else None

    def _due(self, *, questions: bool) -> list[tuple[str, Mode]]:
        known = {effect.id for effect in self.known}
        return [] if self.down else [item for item in self._owed if item[0] in known and (item[1] in QUESTIONS) is questions]

    def _segment(self, reply: Reply, owed: tuple[str, Mode], now: datetime) -> Segment:
        name, mode = owed
        effect = self.find(name)
        assert effect is not None
        line = telling(self._flow, effect, mode, now)
        told = len(line.text) if line.told is None else line.told
        asks = (line.answer_from or told) if mode in QUESTIONS else None
        return Segment(reply, 0, line.text, asks, effect=name, mode=mode, told_from=told)
