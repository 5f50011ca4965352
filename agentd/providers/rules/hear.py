"""What the caller's words mean where the flow stands: slots, a trigger, questions to answer, or a small word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from agentd.flow import FILLED, Flow, Notes, vocabulary
from agentd.flow.slots import Slot
from agentd.flow.spoken import Scene
from agentd.messages import FlowState
from agentd.providers.rules.match import Match, Phrasebook, content, core
from agentd.turn.words import AFFIRMATIONS, BACKCHANNELS, FILLERS, NEGATIONS, normalise


class Small(Enum):
    """A few words that mean one thing wherever they are said."""

    NONE = auto()
    YES = auto()
    NO = auto()
    REPEAT = auto()
    WAIT = auto()
    HELLO = auto()
    THANKS = auto()


@dataclass(slots=True)
class Understood:
    """What was understood. Nothing at all is falsy."""

    small: Small = Small.NONE
    fills: dict[str, Any] = field(default_factory=dict)
    trigger: str = ""
    answers: list[str] = field(default_factory=list)
    same: bool = False
    """What the state does already was asked for."""
    changes: bool = False
    """Of what the caller has or was offered, something is wanted otherwise."""
    undoes: bool = False
    """What the caller has, or is being asked about, is not wanted any more."""

    def __bool__(self) -> bool:
        asked = self.fills or self.trigger or self.answers or self.same or self.changes or self.undoes
        return self.small is not Small.NONE or bool(asked)


def _set(phrases: Sequence[str]) -> frozenset[str]:
    return frozenset(map(normalise, phrases))


_REPEATS, _WAITS, _GREETINGS, _THANKS, _CHANGES, _TAKE_BACKS = map(
    _set,
    (
        vocabulary.REPEATS,
        vocabulary.WAITS,
        vocabulary.GREETINGS,
        vocabulary.THANKS,
        vocabulary.CHANGES,
        vocabulary.TAKE_BACKS,
    ),
)
_CORRECTIONS = sorted(_set(vocabulary.CORRECTIONS), key=len, reverse=True)
_PICKS = sorted(((normalise(phrase), place) for phrase, place in vocabulary.PICKS.items()), key=lambda pick: -len(pick[0]))
_YES = sorted({"yes", "yeah", "yep", "okay", "sure", "yes please"}, key=len, reverse=True)


_STRAY = 1
"""Other words that may stand around a value that nobody asked for: a sentence that only mentions a day asks for nothing."""


class Ear:
    """Understands one flow's callers. Stateless but for what it derives from the flow once."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._books = {state.name: Phrasebook(flow.leading_to(state.name) | flow.phrases(state.name)) for state in flow.states}
        self._answers = frozenset(answer.name for answer in flow.answers)

    def understand(self, text: str, fs: FlowState, now: datetime, *, closed: bool) -> Understood:
        """`closed`: a yes/no question was put, so that a yes is an answer to it."""
        said = " ".join(word for word in normalise(text).split() if word not in FILLERS) or normalise(text)
        if small := self._small(normalise(text), closed=closed) or self._small(said, closed=closed):
            return Understood(small)
        lead, rest, corrected = _lead(said)
        heard = self._request(text if rest == said else rest, fs, now, corrected=corrected)
        self._note_wish(heard, core(rest))
        if lead and not heard and not corrected:
            return Understood(lead)
        if lead and heard:
            heard.small = lead
        return heard

    def about(self, state: str, verbs: Sequence[str]) -> str:
        """The trigger that the state's phrases have for such a wish, which begin with one of these verbs; "" for none."""
        said = self._flow.phrases(state)
        return next((name for name in said if any(core(phrase)[0] in verbs for phrase in said[name])), "")

    def _small(self, said: str, *, closed: bool) -> Small | None:
        if said in NEGATIONS:
            return Small.NO
        if said in AFFIRMATIONS or (closed and said in BACKCHANNELS):
            return Small.YES
        for phrases, small in (
            (_REPEATS, Small.REPEAT),
            (_WAITS, Small.WAIT),
            (_GREETINGS, Small.HELLO),
            (_THANKS, Small.THANKS),
        ):
            if said in phrases:
                return small
        return Small.HELLO if said in BACKCHANNELS else None

    def _request(self, text: str, fs: FlowState, now: datetime, *, corrected: bool) -> Understood:
        """Slots first, each taking its words away; then the phrases, in what is left."""
        heard = Understood()
        book = self._books[fs.state]
        whole = book.best(text)
        notes = Notes.of(fs.notes)
        asked = notes.question.slot if notes.question else ""
        rest, taken = text, set[str]()
        for slot in self._order(fs, asked):
            prompted = slot.name == asked or (corrected and slot.name == notes.filled)
            if slot.spoken.name in taken or (prompted and whole and slot.spoken.greedy and whole.score >= slot.spoken.greedy):
                continue
            found = (
                self._offered(slot, rest, fs, now)
                if slot.name in self._flow.offering
                else self._found(slot, rest, fs, now, prompted)
            )
            if found:
                values, rest = found
                heard.fills |= values
                taken.add(slot.spoken.name)
        self._match(heard, book.best(rest) or (None if heard.fills else whole), book, fs)
        if not (heard.trigger or heard.answers or heard.same or asked in heard.fills) and content(rest) > _STRAY:
            return Understood()
        heard.changes = bool(heard.fills) and (corrected or not heard.trigger)
        self._imply(heard, fs)
        return heard

    def _note_wish(self, heard: Understood, words: list[str]) -> None:
        """Whether it is about what the caller has: in words that mean that anywhere, or in a phrase of the flow's own."""
        said, asked = " ".join(words), bool(heard.trigger or heard.same)
        if not heard.fills:
            heard.changes = said in _CHANGES or (asked and words[0] in vocabulary.CHANGING)
            heard.undoes = said in _TAKE_BACKS or (asked and words[0] in vocabulary.UNDOING)

    def _order(self, fs: FlowState, asked: str) -> list[Slot]:
        """The slot that was asked for, the others of the state, the rest."""
        own = list(self._flow.filled_by(self._flow.state(fs)))
        others = [slot for slot in self._flow.slots.values() if slot not in own and slot.name not in self._flow.offering]
        return sorted(own + others, key=lambda slot: (slot.name != asked, slot.name not in self._flow.offering))

    def _found(self, slot: Slot, text: str, fs: FlowState, now: datetime, prompted: bool) -> tuple[dict[str, Any], str] | None:
        if not text:
            return None
        scene = Scene(now, self._flow.region, prompted, fs.slots.get(slot.name))
        found = slot.spoken.find(text, scene)
        return ({slot.name: found.value}, found.rest) if found else None

    def _offered(self, slot: Slot, text: str, fs: FlowState, now: datetime) -> tuple[dict[str, Any], str] | None:
        """A choice from what was offered, by its place or by its value; where none is meant, the wish itself has changed."""
        options = Notes.of(fs.notes).offers(slot.name)
        if not options:
            return None
        said = normalise(text)
        for phrase, place in _PICKS:
            if f" {phrase} " in f" {said} " and -len(options) <= place < len(options):
                return {slot.name: options[place]}, said.replace(phrase, "").strip()
        found = slot.spoken.find(text, Scene(now, self._flow.region, asked=slot.name not in fs.slots))
        if found is None:
            return None
        values = [self._flow.value(slot.name, option) for option in options]
        fitting = [option for option, value in zip(options, values, strict=True) if slot.spoken.meets(found.value, value)]
        return ({slot.name: fitting[0]}, found.rest) if len(fitting) == 1 else None

    def _match(self, heard: Understood, match: Match | None, book: Phrasebook, fs: FlowState) -> None:
        """Take the best match; what it left over may ask a question of its own."""
        if match is None:
            return
        if match.name in self._answers:
            heard.answers.append(match.name)
        elif match.name in self._flow.phrases(fs.state):
            heard.trigger = match.name
        else:
            heard.same = True
        more = book.best(match.rest, self._answers) if match.rest else None
        if more and more.name not in heard.answers:
            heard.answers.append(more.name)

    def _imply(self, heard: Understood, fs: FlowState) -> None:
        """A value that only one next state asks for leads there."""
        if heard.trigger or heard.answers:
            return
        own = {slot.name for slot in self._flow.filled_by(self._flow.state(fs))}
        if heard.fills and not own & set(heard.fills):
            leads = {
                when.trigger
                for _, when, source in self._flow.rows
                if source == fs.state and when.trigger != FILLED
                and set(heard.fills) <= {slot.name for slot in self._flow.filled_by(self._flow.by_name[when.dest])}
            }  # fmt: skip
            heard.trigger = leads.pop() if len(leads) == 1 else ""


def _lead(said: str) -> tuple[Small | None, str, bool]:
    """A yes, a no or a correction that more words follow: what it is, the words behind it, whether it corrects."""
    for phrase in _CORRECTIONS:
        if said.startswith(f"{phrase} "):
            small = Small.NO if phrase.split()[0] == "no" else None
            return small, said[len(phrase) + 1 :], True
    for phrase in _YES:
        if said.startswith(f"{phrase} "):
            return Small.YES, said[len(phrase) + 1 :], False
    for phrase in sorted(NEGATIONS, key=len, reverse=True):
        if said.startswith(f"{phrase} "):
            return Small.NO, said[len(phrase) + 1 :], False
    return None, said, False
