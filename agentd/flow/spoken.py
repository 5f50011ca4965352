"""What a slot may hold: each spoken type hears its value in words, says it back, and lends the recognizer its grammar.

Use the names at the end of this file in a `Slots` model; a value is plain Python (`Moment`, `date`, `str`, `int`, `bool`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar

import phonenumbers

from agentd.flow import numbers, vocabulary
from agentd.flow.listening import DICTATION, OPEN, YES_NO, Listening
from agentd.flow.moments import Moment, find_moment, say_day, say_moments
from agentd.turn.words import AFFIRMATIONS, NEGATIONS, normalise


@dataclass(frozen=True, slots=True)
class Scene:
    """What a value is heard against: the time in the flow's zone, its phone region, whether just this was asked for."""

    now: datetime
    region: str = "US"
    asked: bool = False
    known: Any = None


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and the words (normalised) that were not needed for it."""

    value: Any
    rest: str = ""


class Spoken(ABC):
    """One kind of value. Stateless."""

    name: ClassVar[str]
    listening: ClassVar[Listening] = OPEN
    grammar: ClassVar[str] = ""
    """JSGF of an answer to the slot's question; refers only to the rules of `agentd.flow.grammar`."""

    mention: ClassVar[str] = ""
    """JSGF of the value where nobody asked for it."""

    greedy: ClassVar[float] = 0
    """Where it would take any words for its value: how surely (0–100) they must be a request to be none."""

    @abstractmethod
    def find(self, text: str, scene: Scene) -> Found | None:
        """The value that `text`, as it was said, holds; None where it holds none."""

    def say(self, value: Any, now: datetime) -> str:
        """The value in words, as one says it at `now`."""
        return str(value)

    def say_all(self, values: Sequence[Any], now: datetime) -> str:
        """Several to choose from."""
        said = [self.say(value, now) for value in values]
        return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}" if said else ""

    def known(self, value: Any) -> bool:
        """Whether `value` is all that was asked for."""
        return value is not None

    def meets(self, heard: Any, option: Any) -> bool:
        """Whether what was heard picks `option`."""
        return bool(heard == option)


class _Moment(Spoken):
    name = "time"  # the grammar has its moments everywhere, and once
    grammar = "<date>"

    def find(self, text: str, scene: Scene) -> Found | None:
        words = normalise(text).split()
        found = find_moment(words, scene.now, bare=scene.asked)
        if found is None:
            return None
        moment, used = found
        value = moment.over(scene.known if isinstance(scene.known, Moment) else None)
        return Found(value, _without(words, used))

    def say(self, value: Any, now: datetime) -> str:
        return value.said(now) if isinstance(value, Moment) else str(value)

    def say_all(self, values: Sequence[Any], now: datetime) -> str:
        return say_moments(values, now)

    def known(self, value: Any) -> bool:
        return isinstance(value, Moment) and value.day is not None

    def meets(self, heard: Any, option: Any) -> bool:
        return isinstance(heard, Moment) and isinstance(option, Moment) and heard.allows(option)


class _Date(Spoken):
    name = "date"
    grammar = mention = "<day> | <date>"

    def find(self, text: str, scene: Scene) -> Found | None:
        words = normalise(text).split()
        found = find_moment(words, scene.now)
        return Found(found[0].day, _without(words, found[1])) if found and found[0].day else None

    def say(self, value: Any, now: datetime) -> str:
        return say_day(value, now)


class _Name(Spoken):
    name = "name"
    grammar = "[<name_lead>] <person>"
    mention = "my name is <person>"
    greedy = 75

    def find(self, text: str, scene: Scene) -> Found | None:
        words = normalise(text).split()
        start = _behind(words, vocabulary.NAME_LEADS + (vocabulary.NAME_LEADS_ASKED if scene.asked else ()))
        if start is None and not scene.asked:
            return None
        first = start if start is not None else 0
        end = first
        while end < len(words) and end - first < 4 and words[end].isalpha() and words[end] not in vocabulary.NOT_NAMES:
            end += 1
        if end == first or (start is None and (end - first < len(words) and words[end] not in vocabulary.AFTER_NAMES)):
            return None
        lead = _lead_length(words, first)
        rest = words[: first - lead] + words[end:]
        return Found(" ".join(word.capitalize() for word in words[first:end]), " ".join(rest))


class _Phone(Spoken):
    name = "phone"
    listening = DICTATION
    grammar = "[<phone_lead>] <digits>"
    mention = "my number is <digits>"

    def find(self, text: str, scene: Scene) -> Found | None:
        words = normalise(text).split()
        end = 0
        for at in range(len(words)):
            if at < end:
                continue  # the rest of a run that is no number is none either
            figures, end = numbers.digits(words, at)
            if len(figures) >= 6 and (
                number := _phone(figures, scene.region, plus=words[at - 1 : at] == ["plus"] or "+" in text)
            ):
                start = at - 1 if words[at - 1 : at] == ["plus"] else at
                return Found(
                    number, " ".join(words[: start - _lead_length(words, start, vocabulary.PHONE_LEADS)] + words[end:])
                )
        return None

    def say(self, value: Any, now: datetime) -> str:
        if not str(value).startswith("+"):
            return numbers.spell_digits(str(value))
        national = phonenumbers.format_number(phonenumbers.parse(str(value)), phonenumbers.PhoneNumberFormat.NATIONAL)
        return ", ".join(numbers.spell_digits(group) for group in re.findall(r"\d+", national))


class _Number(Spoken):
    name = "number"
    grammar = "<number>"

    def find(self, text: str, scene: Scene) -> Found | None:
        words = normalise(text).split()
        if not scene.asked:
            return None
        for at in range(len(words)):
            if found := numbers.cardinal(words, at):
                return Found(found[0], " ".join(words[:at] + words[found[1] :]))
        return None


class _YesNo(Spoken):
    name = "yes or no"
    listening = YES_NO
    grammar = "<yes_no>"

    def find(self, text: str, scene: Scene) -> Found | None:
        said = normalise(text)
        if not scene.asked or said not in AFFIRMATIONS | NEGATIONS:
            return None
        return Found(said in AFFIRMATIONS)

    def say(self, value: Any, now: datetime) -> str:
        return "yes" if value else "no"


class _Text(Spoken):
    """Taken as it was said, and only where it was asked for, or announced ("tell them that…")."""

    name = "text"
    listening = DICTATION
    greedy = 95

    def find(self, text: str, scene: Scene) -> Found | None:
        announced = re.search(vocabulary.TEXT_LEAD, text, re.IGNORECASE)
        if announced and text[announced.end() :].strip():
            return Found(text[announced.end() :].strip(), normalise(text[: announced.start()]))
        return Found(text.strip()) if scene.asked and text.strip() else None


def _without(words: Sequence[str], used: frozenset[int]) -> str:
    return " ".join(word for at, word in enumerate(words) if at not in used)


def _behind(words: Sequence[str], leads: Sequence[str]) -> int | None:
    """The place behind the first of `leads` that is in `words`."""
    for lead in sorted(leads, key=len, reverse=True):
        parts = lead.split()
        for at in range(len(words) - len(parts)):
            if list(words[at : at + len(parts)]) == parts:
                return at + len(parts)
    return None


def _lead_length(
    words: Sequence[str], at: int, leads: Sequence[str] = vocabulary.NAME_LEADS + vocabulary.NAME_LEADS_ASKED
) -> int:
    """How many words of a lead stand right before place `at`."""
    fitting = [len(lead.split()) for lead in leads if list(words[max(0, at - len(lead.split())) : at]) == lead.split()]
    return max(fitting, default=0)


def _phone(figures: str, region: str, *, plus: bool) -> str | None:
    """E.164 where the number is whole, the bare figures where it is a local one; None where it can be neither."""
    try:
        number = phonenumbers.parse(f"+{figures}" if plus else figures, region)
    except phonenumbers.NumberParseException:
        return None
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.IS_POSSIBLE:
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        case phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            return figures
    return None


SpokenTime = Annotated[Moment, _Moment()]
"""A day with a time or a part of the day; known as soon as its day is."""

SpokenDate = Annotated[date, _Date()]
SpokenName = Annotated[str, _Name()]
SpokenPhone = Annotated[str, _Phone()]
"""A number to call back: E.164, or bare figures for a local one."""

SpokenNumber = Annotated[int, _Number()]
YesNo = Annotated[bool, _YesNo()]
FreeText = Annotated[str, _Text()]
"""What was said, word for word."""

IMPLIED: dict[type, Spoken] = {str: _Text(), int: _Number(), bool: _YesNo(), date: _Date(), Moment: _Moment()}
"""The spoken type of a slot that is declared with a plain one."""
