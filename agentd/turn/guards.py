"""The table's conditions: named pure predicates on the turn and the event."""

from __future__ import annotations

from agentd.messages import ActorDown, ActorRestarted, KeyPressed, Partial, UtteranceEnded
from agentd.turn import words
from agentd.turn.commands import Event, Then, Thought
from agentd.turn.draft import Draft
from agentd.turn.value import State
from agentd.turn.words import Meaning


class Guards(Draft):
    """Each reads, none writes."""

    def heard(self, event: Event) -> bool:
        """Something of the reply was heard: going on is a barge-in, not a turn reopened."""
        return self.turn.heard

    def has_words(self, event: UtteranceEnded) -> bool:
        """There are words that are more than "um"."""
        return words.has_words(event.text)

    def interrupts(self, event: Partial | UtteranceEnded) -> bool:
        """Sure words that take the turn: two words, a stop word, or an answer to what has just been asked."""
        if not event.sure:
            return False
        answering = self.turn.asked is not None and self.turn.onset >= self.turn.asked
        match words.meaning(event.text):
            case Meaning.STOP | Meaning.WORDS:
                return True
            case Meaning.BACKCHANNEL:
                return answering
            case Meaning.NOTHING:
                return answering and words.has_words(event.text)

    def reopened(self, event: Event) -> bool:
        """The caller went on before the reply was heard; what was said before still wants an answer."""
        return self.turn.reopened

    def false_starts_left(self, event: Event) -> bool:
        """A sound may still stop the thinking before it turns out to be words."""
        return self.turn.false_starts < self.turn.timing.false_starts

    def keyed(self, event: Event) -> bool:
        """A number is being keyed in."""
        return bool(self.turn.keys)

    def speech(self, event: UtteranceEnded) -> bool:
        """It was a voice for long enough to have been meant."""
        return event.voiced >= self.turn.timing.real_speech

    def ask_again_left(self, event: Event) -> bool:
        """We may still ask to have it said again."""
        return self.turn.misheard < self.turn.timing.misheard

    def prompts_left(self, event: Event) -> bool:
        """We may still prompt."""
        return self.turn.prompts < self.turn.timing.prompts

    def fillers_left(self, event: Event) -> bool:
        """We may still fill a silence."""
        return self.turn.fillers < self.turn.timing.fillers

    def retry_left(self, event: Event) -> bool:
        """The reply may still be tried again."""
        return self.turn.retries < self.turn.timing.retries

    def wants_tools(self, event: Thought) -> bool:
        """The round asked for tools."""
        return event.tools > 0

    def wants_more(self, event: Thought) -> bool:
        """The round made proposals to the flow alone; the next round can start at once."""
        return event.more

    def tools_run(self, event: Event) -> bool:
        """Tools are running."""
        return self.turn.tools > 0

    def lost_reply(self, event: ActorRestarted | ActorDown) -> bool:
        """The actor that failed held a part of the reply. A thinker that is done holds none; an apology needs no voice."""
        match event.actor:
            case "thinker":
                return not self.turn.complete
            case "speaker":
                return self.turn.outcome != "failed"
            case _:
                return False

    def lost_hearing(self, event: ActorRestarted) -> bool:
        """The actor that failed was in the middle of an utterance."""
        return event.actor == "listener" and self.turn.utterance

    def then_transfer(self, event: Event) -> bool:
        """The flow hands the call over."""
        return self.turn.then is Then.TRANSFER

    def then_close(self, event: Event) -> bool:
        """The flow has said goodbye."""
        return self.turn.then is Then.CLOSE

    def then_escalate(self, event: Event) -> bool:
        """No progress for too long."""
        return self.turn.then is Then.ESCALATE

    def helper(self, event: Event) -> bool:
        """The flow knows a human who can take over."""
        return self.turn.helper

    def ends_number(self, event: KeyPressed) -> bool:
        """`#` ends a number that was keyed in."""
        return event.digit == "#" and bool(self.turn.keys)

    def unstoppable(self, event: Event) -> bool:
        """Nothing that the caller says now changes the end."""
        return self.turn.final or self.turn.leaving

    def leaving(self, event: Event) -> bool:
        """The socket was told to close."""
        return self.turn.leaving

    def goodbye_heard(self, event: Event) -> bool:
        """The caller need not wait for us to hang up."""
        return self.turn.said

    def was_greeting(self, event: Event) -> bool:
        """The suspicion fell on the greeting."""
        return self.turn.back is State.GREETING

    def was_prompting(self, event: Event) -> bool:
        """The suspicion fell on a silence prompt."""
        return self.turn.back is State.PROMPTING

    def was_closing(self, event: Event) -> bool:
        """The suspicion fell on the goodbye."""
        return self.turn.back is State.CLOSING

    def caller_speaks(self, event: Event) -> bool:
        """The caller is in the middle of an utterance."""
        return self.turn.utterance
