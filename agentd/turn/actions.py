"""The table's actions: each sets fields of the draft and appends commands. None waits, triggers, raises or looks at a clock."""

from __future__ import annotations

from agentd.messages import (
    ActorRestarted,
    Asked,
    CloseMedia,
    Hold,
    KeyPressed,
    NewEpoch,
    Resume,
    SpeechOnset,
    Timer,
    UtteranceEnded,
)
from agentd.turn import words
from agentd.turn.commands import Continue, Event, Finish, HandOver, Line, RunTools, Say, Then, Thought, Why
from agentd.turn.draft import Draft
from agentd.turn.value import State


class Actions(Draft):
    """What the rows do, in the order of a call: the caller, barge-in, the reply, the end."""

    # ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    def hear_onset(self, event: SpeechOnset) -> None:
        """The caller is speaking: what the agent has just told may be what the words are about."""
        self._set(utterance=True, onset=event.pos)
        self._freeze()
        self._disarm(Timer.SILENCE)
        self._disarm(Timer.RESUME)

    def keep_listening(self, event: Event) -> None:
        """The caller speaks in a listening state: no longer than its patience."""
        self._arm(Timer.STUCK, self.turn.timing.patience[State.LISTENING.value])

    def hear_end(self, event: Event) -> None:
        """The utterance is over and is forgotten."""
        self._set(utterance=False)
        self._thaw(confirmed=False)

    def forget_utterance(self, event: Event) -> None:
        """The key is what counts; what is being said is waited for with it."""
        self._set(utterance=False)

    def await_silence(self, event: Event) -> None:
        """Nothing was said: wait for the caller again. A cough does not put off the prompt."""
        self._disarm(Timer.STUCK)
        timing = self.turn.timing
        self._arm(Timer.SILENCE, max(timing.resume, timing.silence - (event.at - self.turn.silent_since)))

    def _add(self, text: str, *, sure: bool) -> None:
        """Words begin a turn, or go on with one of whose reply nothing was heard."""
        again = self.turn.reopened and not self.turn.heard
        self._set(turn=self.turn.turn if again else self.turn.turn + 1, parts=(*self.turn.parts, text) if again else (text,))
        self._set(why=Why.REPLY, sure=sure, reopened=True, heard=False)

    def _take(self, text: str, *, sure: bool, since: float) -> None:
        """The caller's words are answered."""
        self._add(text, sure=sure)
        added = " ".join((*self.turn.added, text))
        self._set(added=(), utterance=False, silent_since=since, prompts=0, misheard=0, retries=0, false_starts=0)
        self._thaw(confirmed=True)
        self._begin(Why.REPLY, number=self.turn.turn, added=added)

    def take_turn(self, event: UtteranceEnded) -> None:
        """The caller's words are a turn, or the rest of one that was reopened."""
        self._take(event.text, sure=event.sure, since=event.end_at)

    def take_again(self, event: UtteranceEnded | ActorRestarted) -> None:
        """Nothing was added: the reply that was dropped is made after all."""
        since = event.end_at if isinstance(event, UtteranceEnded) else event.at
        self._set(utterance=False, silent_since=since, false_starts=self.turn.false_starts + 1)
        self._thaw(confirmed=False)
        self._begin_again()

    def ask_again(self, event: Event) -> None:
        """There was speech and no words."""
        self._set(utterance=False, parts=(), misheard=self.turn.misheard + 1, silent_since=event.at, retries=0)
        self._thaw(confirmed=False)
        self._begin(Why.MISHEARD, number=self.turn.turn + 1)

    def take_key(self, event: KeyPressed) -> None:
        """A key is a part of a number."""
        self._set(keys=self.turn.keys + event.digit)
        if self.turn.state is State.LISTENING:
            self._disarm(Timer.SILENCE)
            self._arm(Timer.KEYS, self.turn.timing.keys)

    def add_words(self, event: UtteranceEnded) -> None:
        """Words between the keys of a number stand before it, and decide with it; the number's end is waited for."""
        self._disarm(Timer.STUCK)
        self._set(utterance=False)
        if words.has_words(event.text):
            self._add(event.text, sure=event.sure)
            self._set(added=(*self.turn.added, event.text))

    def take_number(self, event: Event) -> None:
        """The keys are a turn, or the rest of one."""
        self._take(" ".join(self.turn.keys.rstrip("#") or "#"), sure=True, since=event.at)

    # ── Barge-in ────────────────────────────────────────────────────────────────────────────────────────────

    def suspect(self, event: Event) -> None:
        """Stop sending; the words will tell."""
        state = self.turn.state
        self._set(back=state if state in {State.GREETING, State.PROMPTING, State.CLOSING} else State.SPEAKING)
        self._do(Hold(self.turn.reply))

    def confirm(self, event: Event) -> None:
        """It is a barge-in; or, where nothing of the reply was heard, the caller going on with the turn."""
        self.reopen(event)

    def lose(self, event: Event) -> None:
        """The reply broke under the suspicion: if the caller says nothing after all, it is made again."""
        self.confirm(event)
        self._set(reopened=True)

    def reject(self, event: Event) -> None:
        """It was none: go on from the word that was cut, unless more noise follows."""
        since = event.at - event.end_at if isinstance(event, UtteranceEnded) else 0.0
        self._set(utterance=False)
        self._arm(Timer.RESUME, self.turn.timing.resume - since)

    def resume(self, event: Event) -> None:
        """Go on speaking."""
        self._do(Resume(self.turn.reply))
        self._thaw(confirmed=False)

    def thaw(self, event: Event) -> None:
        """The suspicion has lost its object."""
        self._thaw(confirmed=False)

    def _abandon(self) -> None:
        """The reply is dropped, wherever it is: the epoch rises."""
        self._set(epoch=self.turn.epoch + 1, tools=0, complete=False, keys="", final=False, said=False, outcome="")
        self._do(NewEpoch(self.turn.epoch))

    def reopen(self, event: Event) -> None:
        """The caller has the floor. Where nothing of the reply was heard yet, what it answers is still open."""
        again = not self.turn.heard and not self.turn.outcome
        self._abandon()
        self._set(reopened=again)

    # ── The reply ───────────────────────────────────────────────────────────────────────────────────────────

    def open_call(self, event: Event) -> None:
        """The call begins with the flow's opening."""
        self._arm(Timer.CALL, self.turn.timing.call)
        self._set(silent_since=event.at)
        self._begin(Why.OPENING, number=1)

    def _begin_again(self) -> None:
        """The same reply anew; what the caller heard of it before was heard."""
        heard = self.turn.heard
        self._begin(self.turn.why, number=self.turn.turn, prompt=self.turn.prompts)
        self._set(heard=heard)

    def note_thought(self, event: Thought) -> None:
        """What the round decided; a reply without progress counts towards escalation."""
        self._set(helper=event.helper, complete=not event.more, tools=event.tools, tools_since=event.at)
        if event.more:
            return
        self._set(then=event.then)
        if self.turn.why in {Why.REPLY, Why.MISHEARD}:
            self._set(stale=0 if event.progress else self.turn.stale + 1)
        if self.turn.stale >= self.turn.timing.stale and event.then is Then.LISTEN:
            self._set(then=Then.ESCALATE)

    def run_tools(self, event: Event) -> None:
        """Carry out what the round asked for."""
        self._do(RunTools(self.turn.reply))

    def go_on(self, event: Event) -> None:
        """The next round."""
        self._set(tools=0)
        self._do(Continue(self.turn.reply))

    def note_heard(self, event: Event) -> None:
        """From here on an interruption is a barge-in."""
        self._set(heard=True)

    def note_asked(self, event: Asked) -> None:
        """From here on a "yes" is an answer."""
        self._set(asked=event.pos)

    def note_silence(self, event: Event) -> None:
        """The caller hears nothing from here on."""
        self._set(silent_since=event.at)

    def fill(self, event: Event) -> None:
        """ "One moment." """
        self._set(fillers=self.turn.fillers + 1)
        self._do(Say(self.turn.reply, Line.FILLER, last=False))

    def think_again(self, event: Event) -> None:
        """What was lost is done again, under a new epoch."""
        self._abandon()
        self._set(retries=self.turn.retries + 1)
        self._begin_again()

    def prompt(self, event: Event) -> None:
        """The caller is silent."""
        self._set(prompts=self.turn.prompts + 1, parts=(), silent_since=event.at, retries=0)
        self._begin(Why.SILENCE, number=self.turn.turn + 1, prompt=self.turn.prompts)

    # ── The end ─────────────────────────────────────────────────────────────────────────────────────────────

    def _last_words(self, line: Line, outcome: str, *, final: bool) -> None:
        """A reply that needs no thinking and after which nothing comes."""
        self._thaw(confirmed=False)
        self._set(
            turn=self.turn.turn + 1, heard=False, asked=None, complete=True, parts=(), outcome=outcome, final=final, said=False
        )
        self._do(Say(self.turn.reply, line, last=True))

    def escalate(self, event: Event) -> None:
        """A human takes over."""
        self._last_words(Line.HANDOVER, "escalated", final=True)

    def give_up(self, event: Event) -> None:
        """Nobody can take over."""
        self._last_words(Line.GOODBYE, "stuck", final=True)

    def say_goodbye(self, event: Event) -> None:
        """The caller has been silent for too long; a last word would still be heard."""
        self._last_words(Line.GOODBYE, "silence", final=False)

    def apologise(self, event: Event) -> None:
        """Something of ours is broken."""
        self._abandon()
        self._last_words(Line.APOLOGY, "failed", final=True)

    def drain(self, event: Event) -> None:
        """The daemon has to go."""
        self._abandon()
        self._last_words(Line.DRAIN, "drained", final=True)

    def call_too_long(self, event: Event) -> None:
        """The call has lasted as long as a call may."""
        self._abandon()
        self._last_words(Line.TOO_LONG, "too_long", final=True)

    def flow_done(self, event: Event) -> None:
        """The flow's own goodbye was heard."""
        self._set(outcome="completed", said=True)

    def farewell(self, event: Event) -> None:
        """The goodbye was heard."""
        self._set(said=True)
        self._arm(Timer.FAREWELL, self.turn.timing.farewell)

    def insist(self, event: Event) -> None:
        """Whatever the caller says now, the call ends."""
        self._set(final=True)

    def hand_over(self, event: Event) -> None:
        """The next step is stored first; the carrier asks for it when the socket is closed."""
        if not self.turn.leaving:
            self._do(HandOver(self.turn.outcome or "flow"))
            self._set(outcome="transferred")
            self.close(event)

    def close(self, event: Event) -> None:
        """The socket is closed, whatever the caller hears."""
        if not self.turn.leaving:
            self._set(leaving=True)
            self._do(CloseMedia(1000))

    def _finish(self, outcome: str) -> None:
        self._do(NewEpoch(self.turn.epoch + 1), Finish(outcome))
        self._set(epoch=self.turn.epoch + 1, outcome=outcome)
        self._disarm(Timer.CALL)

    def finish(self, event: Event) -> None:
        """As was decided."""
        self._finish(self.turn.outcome or "completed")

    def finish_hangup(self, event: Event) -> None:
        """The other side closed the socket."""
        reason = getattr(event, "reason", "hangup")
        self._finish("hangup" if reason in {"hangup", "shutdown"} else reason)

    def finish_stalled(self, event: Event) -> None:
        """No frames came any more."""
        self._finish("stalled")

    def finish_silent_line(self, event: Event) -> None:
        """No frame ever came."""
        self._finish("no_audio")

    def finish_drained(self, event: Event) -> None:
        """The daemon goes before the call began."""
        self._finish("drained")

    def finish_failed(self, event: Event) -> None:
        """Something of ours broke before anything could be said."""
        self._finish("failed")
