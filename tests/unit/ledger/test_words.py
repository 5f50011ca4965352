"""What the caller's finished turn does to open effects: in doubt, nothing."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentd.flow import numbers
from agentd.flow.moments import MONTHS, PARTS, WEEKDAYS
from agentd.ledger.events import Says
from agentd.ledger.speech import words
from agentd.ledger.speech.words import says
from agentd.turn.words import AFFIRMATIONS, NEGATIONS

ASSENT, NO, RETRACT, OTHER = Says.ASSENT, Says.NO, Says.RETRACT, Says.OTHER

ALWAYS: dict[Says, tuple[str, ...]] = {
    ASSENT: (
        "perfect, thanks", "Perfect, thank you!", "yes", "Yes.", "yes please", "yeah", "yep, that works", "great, thank you",
        "sounds good", "that sounds great, thanks", "that works", "that works for me", "go ahead", "yes, go ahead",
        "please go ahead", "do it", "please do", "yes, do it", "no, no, that's perfect", "no, that's perfect, thank you",
        "no no no it's great", "yeah, no, that's perfect", "nothing else, perfect", "perfect, nothing else", "uh, yes",
        "um, yeah, sounds good", "okay, perfect", "okay great thanks", "oh, perfect", "alright, sounds good", "book it, please",
        "yes, book it", "yes, send it", "please confirm it", "yes keep it", "yes, please keep it", "absolutely", "of course",
        "exactly, thanks", "correct", "that is right", "that's correct, yes", "I'll take it", "that would be great",
        "that’s great, thank you so much", "it is perfect", "lovely, thanks, bye", "wonderful", "excellent, goodbye",
        "actually, that's perfect", "yes yes yes", "okay, yes please, thank you very much", "I’m happy with that",
    ),
    NO: (
        "no", "No.", "nope", "nah", "no thanks", "no, thank you", "no, thank you very much", "um, no", "not really", "not now",
        "rather not", "I'd rather not", "I would rather not, thanks", "no, I'd rather not", "I don't think so", "no, no, no",
        "okay, no thanks", "oh, no thanks", "sorry, no", "actually, no", "no need", "not at the moment", "absolutely not",
        "of course not", "no, I'm good, thanks", "no, I don't", "no, bye", "nope, not today",
    ),
    RETRACT: (
        "no, don't", "no don’t", "no, do not", "don't", "please don't", "no, please don't", "forget it", "forget about it",
        "no, forget it", "never mind", "oh, never mind", "okay, never mind", "never mind, thanks", "never mind, goodbye",
        "nevermind", "no, cancel that", "no no cancel it please", "no wait, cancel it", "don't book it",
        "please don't book that",
        "don't do it", "no, don't do that", "don't send it", "don't charge me", "don't make the appointment", "do not book it",
        "no, please do not reserve it", "scratch that", "actually, scratch that", "I don't want it", "no, I don't want it",
        "I don't want it anymore", "sorry, I don't want that", "I don't want to book anything", "I don't want an appointment",
        "I changed my mind", "sorry, I've changed my mind", "I have changed my mind, forget it", "no, leave it", "skip it",
        "wait, never mind", "stop, don't do that", "hold on, forget it", "no thanks, cancel it",
        "no thanks, don't bother", "uh, actually, never mind", "no, drop it", "no, undo that please",
    ),
    OTHER: (
        "", "...", "um", "uh, well", "hello?", "hello", "wait", "wait a moment", "stop", "hold on", "sorry", "pardon",
        "excuse me",
        "actually", "actually, Wednesday", "no, make it Wednesday", "no, Wednesday", "yes but at eleven", "yes, at eleven",
        "yes, but not on Tuesday", "perfect, but can you change it to Friday", "perfect, except the time", "great, Thursday",
        "yes, two", "yes, and a cleaning", "yes and also my wife", "okay and what does it cost?", "yes, how much is it",
        "perfect, where are you", "what?", "yes?", "okay?", "perfect?", "no?", "don't?", "no that's not what I said",
        "no don't stop", "no, don't cancel it", "please don't cancel it", "don't forget it", "don't leave it",
        "I don't want to cancel it", "I'd rather not cancel it", "no need to cancel it", "no need, cancel it", "don't worry",
        "no, don't worry about it", "don't change it", "don't please cancel it", "do not cancel that", "yes cancel it",
        "yes, forget it", "yes, never mind", "okay, cancel it", "perfect, never mind", "yes no", "no yes", "no, do it",
        "no, go ahead", "sorry, go ahead", "yeah no", "oh no", "no, stop", "no wait", "wait, no", "no okay",
        "no problem, cancel",
        "instead", "instead Wednesday", "maybe", "I guess so", "I think so", "if you like", "not yes", "keep it", "no, keep it",
        "the first one", "number two", "ten", "10", "half past", "tomorrow", "yes, tomorrow", "thanks, see you on Tuesday",
        "cancel my appointment on Friday", "cancel everything", "I want to cancel", "can you cancel it", "why not",
        "what a pity",
        "no, that's okay", "no, it's fine", "it's okay", "that's all", "nothing else, thanks", "bye", "goodbye", "okay, bye",
        "no thank you that's perfect", "who is this", "leave it as it is", "leave it at ten", "never", "never book it", "not",
        "that's wrong", "wrong", "not that one", "yes to the other one", "that's the wrong day", "perfectly awful", "yesterday",
        "yes minus the cleaning", "don't you dare cancel it", "do I have to pay", "I do not know", "I don't", "I don't know",
        "да", "oui", "🙂", "\x00", "perfect\u200bly",
    ),
}  # fmt: skip
"""Whether a question was asked or not."""

BY_QUESTION: dict[str, tuple[Says, Says]] = {
    # said                        told only, asked
    "okay": (OTHER, ASSENT),
    "ok": (OTHER, ASSENT),
    "okay, okay": (OTHER, ASSENT),
    "sure": (OTHER, ASSENT),
    "sure, okay": (OTHER, ASSENT),
    "uh huh": (OTHER, ASSENT),
    "uh-huh": (OTHER, ASSENT),
    "mhm": (OTHER, ASSENT),
    "all right": (OTHER, ASSENT),
    "right": (OTHER, ASSENT),
    "fine": (OTHER, ASSENT),
    "hmm, okay": (OTHER, ASSENT),
    "please": (OTHER, ASSENT),
    "I do": (OTHER, ASSENT),
    "fine with me": (OTHER, ASSENT),
    "okay, thanks": (ASSENT, ASSENT),
    "thank you": (ASSENT, OTHER),
    "oh, thanks a lot": (ASSENT, OTHER),
    "thanks, bye": (ASSENT, OTHER),
    "that's okay": (ASSENT, OTHER),
    "all good, thanks": (ASSENT, OTHER),
    "no that's fine thanks": (ASSENT, OTHER),
    "no, that's good": (ASSENT, OTHER),
    "no, nothing else, perfect": (ASSENT, OTHER),
    "no, perfect, thanks": (ASSENT, OTHER),
    "cancel that": (RETRACT, OTHER),
    "cancel it, please": (RETRACT, OTHER),
    "wait, cancel that": (RETRACT, OTHER),
    "leave it": (RETRACT, OTHER),
    "undo that": (RETRACT, OTHER),
    "let it go": (RETRACT, OTHER),
    "I see": (OTHER, OTHER),
    "really": (OTHER, OTHER),
    "oh": (OTHER, OTHER),
    "hm": (OTHER, OTHER),
    "aha": (OTHER, OTHER),
}
"""A cut telling is retracted by "cancel that"; as an answer it might agree to a cancellation."""

HEARD_AS_MORE = (
    *WEEKDAYS, *MONTHS, *PARTS, *numbers.UNITS, *numbers.TEENS, *numbers.TENS, *numbers.ORDINALS,
    "today", "tomorrow", "tonight", "noon", "midnight", "hundred", "half", "quarter", "oclock", "o'clock", "am", "pm", "10",
    "9:30",
    "3rd", "next", "week", "who", "what", "when", "where", "why", "which", "how", "whose", "whether", "but", "except",
    "instead",
    "only", "later", "earlier", "another", "different", "change", "also", "and", "if", "unless", "though",
)  # fmt: skip

ASSENTS = (*ALWAYS[ASSENT], *(said for said, means in BY_QUESTION.items() if ASSENT in means))


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert sum(map(len, ALWAYS.values())) + len(BY_QUESTION) >= 150


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(("expected", "said"), [(means, said) for means, row in ALWAYS.items() for said in row])
def test_words_mean_what_they_mean_with_a_question_or_without(expected: Says, said: str, asked: bool) -> None:
    assert says(said, asked=asked) is expected


@pytest.mark.parametrize(("said", "told", "answer"), [(said, *means) for said, means in BY_QUESTION.items()])
def test_some_words_mean_another_thing_as_an_answer(said: str, told: Says, answer: Says) -> None:
    assert (says(said, asked=False), says(said, asked=True)) == (told, answer)


@pytest.mark.parametrize("said", sorted(AFFIRMATIONS))
def test_every_affirmation_of_turn_taking_answers_a_question(said: str) -> None:
    assert says(said, asked=True) is ASSENT


@pytest.mark.parametrize("said", sorted(NEGATIONS - {"wrong", "thats wrong"}))
def test_every_negation_of_turn_taking_refuses_and_retracts_nothing(said: str) -> None:
    assert says(said, asked=True) is NO
    assert says(said, asked=False) is NO


@given(
    said=st.sampled_from(ASSENTS), word=st.sampled_from(HEARD_AS_MORE), place=st.integers(0, 12), asked=st.booleans(),
)  # fmt: skip
def test_an_assent_with_a_day_a_time_a_number_or_a_question_in_it_is_none(
    said: str, word: str, place: int, asked: bool
) -> None:
    heard = said.split()
    heard.insert(min(place, len(heard)), word)
    assert says(" ".join(heard), asked=asked) is OTHER


@given(said=st.sampled_from(ASSENTS), word=st.text("bcdfgjkpqvxz", min_size=4), place=st.integers(0, 12), asked=st.booleans())
def test_an_assent_with_an_unknown_word_in_it_is_none(said: str, word: str, place: int, asked: bool) -> None:
    heard = said.split()
    heard.insert(min(place, len(heard)), word)
    assert says(" ".join(heard), asked=asked) is OTHER


@given(said=st.sampled_from(ASSENTS), other=st.sampled_from(ALWAYS[RETRACT]), asked=st.booleans(), first=st.booleans())
def test_a_yes_and_a_retraction_in_one_breath_do_not_keep(said: str, other: str, asked: bool, first: bool) -> None:
    assert says(f"{said}, {other}" if first else f"{other}, {said}", asked=asked) is not ASSENT


@given(text=st.text(), asked=st.booleans())
def test_any_text_at_all_means_something(text: str, asked: bool) -> None:
    assert says(text, asked=asked) in Says


@given(said=st.lists(st.sampled_from(sorted(words._LETTERS)), max_size=6), asked=st.booleans())
def test_phrases_in_any_order_mean_something_and_a_question_mark_undoes_it(said: list[str], asked: bool) -> None:
    assert says(" ".join(said), asked=asked) in Says
    assert says(" ".join(said) + "?", asked=asked) is OTHER


@pytest.mark.parametrize("piece", ["yes ", "no ", "don't ", "um ", "' ", "\u0300", "yes please keep "])
def test_a_long_text_is_dismissed_at_once(piece: str) -> None:
    began = time.process_time()
    assert says(piece * (100_000 // len(piece)), asked=True) is OTHER
    assert time.process_time() - began < 0.1


def test_no_phrase_has_two_letters() -> None:
    said = Counter(itertools.chain.from_iterable(words._spelled(phrase) for row in words.PHRASES.values() for phrase in row))
    assert [phrase for phrase, times in said.items() if times > 1] == []


def test_every_phrase_is_written_as_it_is_compared() -> None:
    assert [said for said in words._LETTERS if words._TWO_WORDS.search(said) or words.normalise(said) != said] == []
