"""The rule-based thinker: holds a flow's conversation with no model, in under a millisecond a round.

Theory of operation. Round 0 takes the caller's words apart (`hear`) and proposes what they ask for: a transition, then
values for slots. It speaks at once only where nothing is proposed. Each later round finds the flow where the machine put
it, and goes on from there: the state's words on entry, a tool that is due, its result, and then the next question. A round
that proposes a transition says nothing, and notes what it owes, so that the words come from the state that they lead to.

Of effects it knows what the request tells of them. It proposes one as soon as the flow knows its arguments, and never twice;
where the caller wants it otherwise, the new one `replaces` it. What the words do to those that are open the ledger has decided
before it is asked (`took`), and what is told and asked of them the machine says.

All that must outlive a round is in the flow's notes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from agentd.flow import FILLED, Flow, vocabulary
from agentd.flow import lines as common
from agentd.flow.notes import Question
from agentd.flow.templates import Line
from agentd.ledger.events import Says
from agentd.ledger.speech.words import says
from agentd.messages import Fill, Fire, Outcome, Segment, TakeBack, ThinkRequest
from agentd.providers.base import Thought
from agentd.providers.rules.hear import Ear, Small, Understood
from agentd.providers.rules.outcomes import Outcomes
from agentd.turn.words import normalise


class RulesThinker:
    """A `Thinker` for one flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._ear = Ear(flow)

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        """See Thinker. Cancelled: the segments that `say` took stand."""
        segments, thought = self.round(request)
        for segment in segments:
            await say(segment)
        return thought

    def round(self, request: ThinkRequest) -> tuple[list[Segment], Thought]:
        """One round, as a pure function of its request."""
        return Round(self._flow, self._ear, request).run()


class Round(Outcomes):
    """One round: what is made of the caller's words, and of what became of the proposals."""

    def __init__(self, flow: Flow, ear: Ear, request: ThinkRequest) -> None:
        super().__init__(flow, request)
        self._ear = ear

    def run(self) -> tuple[list[Segment], Thought]:
        """Think, then cut what is to be said into segments."""
        if self._request.round:
            self._go_on(self._request.outcomes)
        else:
            match self._request.why:
                case "opening":
                    self._open()
                case "silence":
                    self._prompt(self._request.prompt)
                case "misheard":
                    self._misheard()
                case "reply" if self._request.took:
                    self._taken(self._request.took)
                case "reply":
                    self._hear(self._request.text)
        return self._finished()

    # ── Hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, text: str) -> None:
        """Round 0 of a reply."""
        if not normalise(text):
            self._misheard()
            return
        self._note(misheard=0)
        question = self._notes.question if self._put() else None
        closed = question is not None and question.closed
        heard = self._ear.understand(text, self._fs, self._now, closed=closed)
        if not self._request.sure and heard and not (closed and heard.small in (Small.YES, Small.NO) and not heard.fills):
            if self._request.ask:
                self._lost()  # the machine asks
            else:
                self._ask_back(text)
        elif question and question.kind == "heard":
            self._settle_doubt(heard, text)
        else:
            self._act(heard, question, text)

    def _put(self) -> bool:
        """Whether the last question reached the caller: not where it was cut off before an answer to it may begin."""
        told = self._notes.question.told if self._notes.question else ""
        last = next((said for said in reversed(self._request.conversation) if said.who == "agent"), None)
        return last is None or not last.cut or (bool(told) and told in last.text)

    def _ask_back(self, text: str) -> None:
        self._lines.append(Line(common.DID_YOU_SAY.format(words=text.strip().rstrip(".?!"))))
        self._note(doubt=text, question=Question("heard", closed=True), lost=self._notes.lost + bool(self._notes.doubt))
        self._repeatable = False

    def _settle_doubt(self, heard: Understood, text: str) -> None:
        """After "did you say …?": a yes acts on the words in doubt, a no drops them, anything else is taken by itself."""
        doubt = self._notes.doubt
        self._note(doubt="", question=None)
        if heard.small is Small.YES and not heard.fills:
            self._act(self._ear.understand(doubt, self._fs, self._now, closed=False), None, doubt)
        elif heard.small is Small.NO and not (heard.fills or heard.trigger or heard.answers):
            self._lines.append(Line(common.ONCE_MORE))
            self._note(lost=self._notes.lost + 1)
        else:
            self._act(heard, None, text)

    def _act(self, heard: Understood, question: Question | None, text: str) -> None:
        """Propose what was asked for, answer what was asked, or say why nothing can be done."""
        if question and question.kind == "consent":
            self._note(consent=heard.small is Small.YES, question=None)
            self._say_state()
            if not (heard.fills or heard.trigger or heard.answers):
                self._next()
                return
        fills = dict(heard.fills)
        trigger = heard.trigger
        if heard.small in (Small.YES, Small.NO):
            yes = heard.small is Small.YES
            said_more = bool(fills or trigger or heard.answers or heard.changes or heard.undoes)
            answered = self._answer(question, yes, fills, said_more)
            trigger = trigger or (answered or "")
            if not (fills or said_more or answered is not None):
                self._nothing(yes, asked=question is not None and question.kind == "state")
                return
        for name in heard.answers:
            answer = next(answer for answer in self._flow.answers if answer.name == name)
            self._lines.append(self._line(answer.text))
        if heard.undoes and (effect := self._deeds.undoable()):
            self._proposals.append(TakeBack(self._use("take_back"), effect.id))
            trigger = trigger or self._ear.about(self._fs.state, vocabulary.UNDOING)
        elif heard.changes and (changed := self._changed(fills)):
            self._note(changed=changed)
            self._changing = True
            if not (fills or trigger):
                fills |= self._unset(changed)
                trigger = "" if fills else self._ear.about(self._fs.state, vocabulary.CHANGING)
        elif trigger:
            self._note(changed=())
        if self._proposed(trigger, fills) or self._proposals:
            return
        if heard.answers or heard.small in (Small.YES, Small.NO):
            self._note(lost=0)
            self._go_on(())
        elif heard.small is not Small.NONE:
            self._small_talk(heard.small, question)
        elif heard.same:
            self._ask_once_more()
        else:
            self._lost()

    def _changed(self, fills: Mapping[str, Any]) -> tuple[str, ...]:
        """The effects, by id, that are wanted otherwise: those that rest on other values, or, where none were said, all."""
        return self._deeds.overwritten(fills, self._fs.slots) if fills else tuple(one.id for one in self._deeds.changeable())

    def _unset(self, changed: tuple[str, ...]) -> dict[str, Any]:
        """What to ask for anew, where it was not said how this state's effects are wanted."""
        tool = next((tool for tool in self._state.tools if self._deeds.replaced(tool, changed)), None)
        if tool is None:
            return {}
        self._note(ran={})
        own = {slot.name: None for slot in self._flow.filled_by(self._state) if slot.name in tool.required}
        return self._chosen(tool) or own

    def _answer(self, question: Question | None, yes: bool, fills: dict[str, Any], said_more: bool) -> str | None:
        """What a yes or a no says to the question: values go into `fills`; a trigger or "" where it answered, else None."""
        match question:
            case Question("confirm", slot):
                if yes:
                    self._note(confirmed=(*self._notes.confirmed, slot), question=None)
                else:
                    fills.setdefault(slot, None)
                return ""
            case Question("one", slot) if yes:
                fills.setdefault(slot, self._notes.offers(slot)[0])
                return ""
            case Question("one" | "slot", slot) if not yes and self._notes.offers(slot) and not said_more:
                fills |= dict.fromkeys(self._flow.offering[slot].required)
                self._note(ran={})
                return ""
            case Question("slot", slot, closed=True):
                fills[slot] = yes
                return ""
            case Question("state") if not said_more:
                word = "yes" if yes else "no"
                said = self._flow.phrases(self._fs.state)
                return next((name for name, phrases in said.items() if word in map(normalise, phrases)), None)
        return None

    # ── Going on ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, outcomes: tuple[Outcome, ...]) -> None:
        """Say what is due in this state, run what is due, and ask the next question."""
        self._lines += [Line(text) for text in self._notes.owed]
        self._offered = bool(self._notes.owed)
        self._note(owed=())
        self._take_all(outcomes)
        if self._proposals:
            return
        if self._notes.passing is not None:
            self._lines.append(self._line(self._flow.transitions[self._notes.passing].say))
            self._note(passing=None)
        over = self._flow.over(self._fs)
        due = None if over else self._due()
        if due is None and not over and (values := self._anew()):
            self._proposals.append(Fill(values))
            return
        if due is None and self._flow.filled(self._current):
            self._proposals.append(Fire(FILLED))
            return
        if not self._fs.announced:
            self._say_state()
        if due:
            self._proposals.append(due)
        else:
            self._next()

    def _taken(self, took: str) -> None:
        """Round 0, where the ledger has taken the words already: for a yes, a no, or a wish to be rid of what is open."""
        self._note(misheard=0, lost=0, doubt="", question=None)
        if took == "retract":
            self._let_go(self._state.ask or common.ANYTHING)
            return
        if took == "no":
            self._close_gone()
            self._lines += [] if self._request.tells else [Line(common.ALL_RIGHT)]
        self._go_on(())

    # ── Everything else ──────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        """Greet, say who is speaking and whether it is recorded, and begin; or go on with a call that has come back."""
        if self._flow.begun(self._fs):
            self._go_on(())
            return
        opening = [self._flow.greeting, common.DISCLOSURE if self._flow.disclosure else ""]
        opening += [common.RECORDED] if self._flow.recording == "on" else []
        self._lines += [Line(" ".join(filter(None, opening)))] if any(opening) else []
        if self._flow.recording == "consent":
            self._lines.append(Line(common.CONSENT))
            self._note(question=Question("consent", closed=True))
            return
        self._say_state()
        self._next()

    def _prompt(self, number: int) -> None:
        """Break a silence; each time in other words."""
        prompts = self._state.prompts or self._flow.prompts
        self._repeatable = False
        if prompts:
            self._lines.append(self._line(prompts[min(max(number, 1), len(prompts)) - 1]))
        self._ask_once_more()

    def _misheard(self) -> None:
        self._say_one_of(self._flow.misheard, self._notes.misheard)
        self._note(misheard=self._notes.misheard + 1)
        self._ask_once_more()

    def _lost(self) -> None:
        """Nothing was understood: say so, and what can be done, in other words each time."""
        if says(self._request.text, asked=False) is Says.RETRACT:  # of what is nothing to the ledger
            self._note(lost=0)
            self._lines += [Line(common.ALL_RIGHT), Line(self._state.ask or common.ANYTHING)]
            self._next()
            return
        if self._flow.missing(self._current) and not self._notes.lost:
            self._lines.append(Line(common.NOT_UNDERSTOOD))
        else:
            self._say_one_of(self._flow.unmatched, self._notes.lost)
        self._note(lost=self._notes.lost + 1)
        self._ask_once_more()

    def _small_talk(self, small: Small, question: Question | None) -> None:
        done = next(
            (name for name, phrases in self._flow.phrases(self._fs.state).items() if "no" in map(normalise, phrases)), ""
        )
        match small:
            case Small.REPEAT:
                self._lines += [Line(text) for text in self._notes.last]
                self._repeatable = False
            case Small.WAIT:
                self._lines.append(Line(common.WAITING))
                self._repeatable = False
            case Small.THANKS if question and question.kind == "state" and question.closed and done:
                self._proposed(done, {})
            case Small.THANKS:
                self._lines.append(Line(common.WELCOME))
                self._next()
            case _:
                self._nothing(True)

    def _nothing(self, yes: bool, *, asked: bool = False) -> None:
        """A yes or a no to nothing, or a hello: the open question again. `asked`: a question invited it."""
        self._next(again=True)
        if not yes or not self._lines or self._lines[-1].text == self._state.ask:
            self._lines = [Line(common.ANYTHING)] if not self._flow.missing(self._current) else self._lines
            self._note(question=self._notes.question and replace(self._notes.question, closed=False))
        self._note(lost=0 if yes and asked else self._notes.lost + 1)
