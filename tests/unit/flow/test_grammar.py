from __future__ import annotations

import re

import pytest

from agentd.flow import load, vocabulary
from agentd.flow.grammar import spelled
from agentd.turn import words

pocketsphinx = pytest.importorskip("pocketsphinx")

FLOW = load("receptionist")
HINTS = {state.name: FLOW.hints(FLOW.start()) for state in FLOW.states} | {
    state.name: FLOW._hints[state.name] for state in FLOW.states
}


def as_regex(jsgf: str) -> re.Pattern[str]:
    """A JSGF text without recursion as a regular expression over words that each end in a space."""
    rules = dict(re.findall(r"<(\w+)> = ([^;]*);", jsgf))

    def expand(body: str) -> str:
        parts = re.findall(r"<\w+>|[\[\]()|+]|[a-z']+", body)
        table = {"[": "(?:", "]": ")?", "(": "(?:", ")": ")", "|": "|", "+": "+"}
        return "".join(
            table.get(part) or (f"(?:{expand(rules[part[1:-1]])})" if part[0] == "<" else f"(?:{part} )") for part in parts
        )

    return re.compile(expand(rules["utterance"]))


EVERYWHERE = [
    "yes", "no", "yes please", "no thank you", "wait", "stop", "uh huh", "hello", "sorry can you repeat that", "perfect thanks",
    "what was the first part", "mhm", "okay", "right", "yeah", "hold on", "um", "sorry", "thank you",
]  # fmt: skip
OPEN = [
    "what are your opening hours", "where are you", "how much is a cleaning", "my name is john smith",
    "can i speak to a person",
    "my number is five five five zero one two three", "that's all thank you", "goodbye", "is there parking",


]  # fmt: skip
BY_STATE = {
    "greeting": ["i would like to book an appointment", "do you have anything on tuesday",
    "book an appointment for tuesday at ten",
                 "i would like to leave a message", "i'd like to see a dentist next wednesday morning please"],
    "booking": ["on tuesday at ten", "next wednesday morning", "actually wednesday", "the third of may", "the first one",
                "do you have anything on tuesday", "tuesday at ten", "at half past two", "john smith", "ten o'clock",
                "no i meant friday", "i would like to leave a message", "never mind", "cancel it", "go ahead"],
    "booked": ["actually wednesday", "actually wednesday at ten", "the first one", "how much is it", "never mind",
               "i want to cancel my appointment", "i would like to change my appointment"],
    "texting": ["forget it", "i am new", "can i change my appointment"],
    "message": ["please call me back", "john smith", "five five five oh one two three"],
}  # fmt: skip


@pytest.mark.parametrize("state", ["greeting", "booking", "booked", "texting", "message", "taken"])
def test_every_utterance_of_a_caller_is_in_the_grammar_of_its_state(state: str) -> None:
    grammar = as_regex(HINTS[state].grammar)
    for said in EVERYWHERE + OPEN + BY_STATE.get(state, []):
        assert grammar.fullmatch(f"{said} "), said


def test_what_nobody_says_to_a_receptionist_is_not_in_its_grammar() -> None:
    grammar = as_regex(HINTS["greeting"].grammar)
    for said in ("the weather in chicago is terrible", "tuesday tuesday", "my name is", "john smith", "eight", "go ahead"):
        assert not grammar.fullmatch(f"{said} "), said


def test_every_word_of_every_grammar_is_in_the_dictionary_of_the_recognizer() -> None:
    with open(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as lines:
        known = {line.split()[0] for line in lines}
    for name, hints in HINTS.items():
        bodies = re.sub(r"<\w+>", " ", " ".join(re.findall(r"> = ([^;]*);", hints.grammar)))
        assert set(re.findall(r"[a-z']+", bodies)) <= known, name


def test_the_grammars_load_as_they_are() -> None:
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    for name, hints in HINTS.items():
        decoder.add_jsgf_string(name, hints.grammar)
        decoder.activate_search(name)
        assert decoder.current_search() == name


def test_phrases_are_spelled_as_a_dictionary_has_them() -> None:
    assert spelled("What's open, 24 hours?") == "what's open twenty four hours"
    assert spelled("check-up") == "check up"
    assert HINTS["greeting"].keyterms[0] == "Acme Dental"


def test_what_is_listened_for_everywhere_means_something_to_the_turn() -> None:
    meant = words.BACKCHANNELS | words.STOP_WORDS | words.AFFIRMATIONS | words.NEGATIONS | words.FILLERS
    assert {words.normalise(phrase) for phrase in vocabulary.SHORT} <= meant
