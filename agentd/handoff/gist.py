"""The gist of a call, gathered from its event log as it goes on: what the caller wanted, and what was tried."""

from __future__ import annotations

from typing import Final

from agentd.flow.declare import FILLED, ends
from agentd.flow.model import Flow
from agentd.messages import Effect, Fire, LedgerMoved, Logged, Outcome, RoundDone, ToolDone, UseTool
from agentd.turn.words import BACKCHANNELS, STOP_WORDS, is_short_answer, normalise

WISHES: Final = 8
"""Of a long call, the last ones."""

GREETINGS: Final = frozenset(
    {"good afternoon", "good evening", "good morning", "hello", "hello hello", "hey", "hi", "hi there", "thank you", "thanks"}
)


class Gist:
    """One call's gist.

    A caller's line is a wish when it came to something: it moved the flow, put a tool to work, or was answered. What only
    fills a slot is told with the slots; a greeting, a yes, and asking for a person or for the end are no wishes.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._words = (0, "")
        self._wishes: dict[int, str] = {}
        self._parting = ""
        self.tried: list[Outcome] = []
        """The tools that were run, with what became of them."""
        self.effects: tuple[Effect, ...] = ()
        """What was done to the world, and what is about to be, as the ledger last had it."""

    @property
    def wants(self) -> tuple[str, ...]:
        """What the caller wanted, in the caller's own words, each wish once."""
        return tuple(dict.fromkeys(self._wishes.values()))[-WISHES:]

    @property
    def summary(self) -> str:
        """The call in a line: the wishes, or else with which words the caller asked for a person or the end."""
        return "; ".join(self.wants) or self._parting

    def feed(self, entry: Logged) -> None:
        """Take the next line of the event log."""
        for line in entry.lines:
            if line.who == "caller":
                self._words = (entry.reply.turn, line.text)
        match entry.event:
            case RoundDone() as done if done.reply == entry.reply:
                self._weigh(done, entry.flow)
            case ToolDone(_, outcome):
                self.tried = [*self.tried, outcome][-WISHES:]
            case LedgerMoved(effects=effects):
                self.effects = effects

    def _weigh(self, done: RoundDone, state: str) -> None:
        turn, words = self._words
        if turn != done.reply.turn or _small_talk(words):
            return
        if ends(self._flow.by_name[state]):
            self._parting = words
            return
        moved = any(isinstance(proposal, Fire) and proposal.trigger != FILLED for proposal in done.proposals)
        answered = done.round == 0 and done.understood and not done.proposals and bool(done.said)
        if moved or answered or any(isinstance(proposal, UseTool) for proposal in done.proposals):
            self._wishes[turn] = words


def _small_talk(text: str) -> bool:
    said = normalise(text)
    return not said or is_short_answer(said) or said in BACKCHANNELS or said in STOP_WORDS or said in GREETINGS
