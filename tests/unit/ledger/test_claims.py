"""No truth, no claim: what the model says of an effect is spoken only where the ledger bears it out."""

from __future__ import annotations

import ast
import inspect
import re
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flows.receptionist
from agentd.flow import lines
from agentd.ledger.speech import acts, claims, frames
from agentd.ledger.speech.claims import NOTHING_DONE, TRUTH, Tense, acts_of, allowed, opening_may_be_claim, stop, truth
from agentd.ledger.speech.plain import plain
from agentd.messages import Effect
from tests.fakes.claims import BEYOND, FALSE
from tests.fakes.harmless import HARMLESS

STATES = ("running", "open", "asking", "waiting", "keeping", "kept", "dropping", "dropped", "failed", "unknown", "taken_back")


def effect(tool: str, state: str, kind: str = "compensable") -> Effect:
    return Effect(f"{tool}.{state}", tool, kind, {}, None, state, "")


def constants(module: ModuleType) -> Iterator[str]:
    """All texts of a module but its docstrings and what its tools tell once they have acted: a claim, the machine's own."""
    tree = ast.parse(inspect.getsource(module))
    told = {id(word.value) for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg in {"tell", "undone"}}
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value and id(node) not in told | docs:
            yield node.value


FLOWS_OWN = (*constants(flows.receptionist), *constants(lines))


# ── What is found, and what is let pass ──────────────────────────────────────────────────────────────────────────────


def test_the_corpora_are_large_enough_to_mean_something() -> None:
    assert len(set(FALSE)) >= 200
    assert len(set(HARMLESS)) >= 150
    assert len(FLOWS_OWN) >= 80


def test_no_false_claim_passes_where_the_ledger_holds_nothing() -> None:
    assert [sentence for sentence in FALSE if allowed(sentence, ())] == []


def test_hardly_a_harmless_sentence_is_stopped() -> None:
    stopped = [sentence for sentence in (*HARMLESS, *FLOWS_OWN) if not allowed(sentence, ())]
    assert len(stopped) <= 0.02 * len(HARMLESS + FLOWS_OWN), stopped


def test_what_is_beyond_the_tables_is_on_record() -> None:
    assert [sentence for sentence in BEYOND if not allowed(sentence, ())] == []


WRITTEN: dict[str, Callable[[str], str]] = {
    "loud": str.upper,
    "as a title": str.title,
    "with curly apostrophes": lambda text: text.replace("'", "’"),
    "with hard spaces": lambda text: text.replace(" ", "\u00a0"),
    "with nothing between the letters": "\u200b".join,
    "behind a dash": lambda text: f"Okay — {text}",
    "between other sentences": lambda text: f"Thank you, John. {text} What else can I do for you?",
    "twice": lambda text: f"{text} {text}",
    "in quotes": lambda text: f"“{text}”",
    "in bold": lambda text: f"**{text}**",
    "without its end": lambda text: text.rstrip(".!"),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_false_claim_is_found_however_it_is_written(written: Callable[[str], str]) -> None:
    assert [sentence for sentence in FALSE if allowed(written(sentence), ())] == []


def test_a_false_claim_is_found_without_its_apostrophes_but_where_they_make_another_word() -> None:
    passed = [sentence for sentence in FALSE if allowed(sentence.replace("'", ""), ())]
    assert [sentence for sentence in passed if not re.search(r"(?i)\bwe'(?:re|ll)\b|\w{5,}'s\b|\bi'd\b", sentence)] == []


@given(claim=st.sampled_from(FALSE), before=st.sampled_from(HARMLESS), after=st.sampled_from(HARMLESS))
def test_a_claim_among_harmless_sentences_is_found(claim: str, before: str, after: str) -> None:
    assert not allowed(f"{before} {claim}{'' if claim.endswith(('.', '!', '?')) else '.'} {after}", ())


@given(st.text())
def test_any_text_at_all_can_be_judged(text: str) -> None:
    assert allowed(text, ()) is (stop(text, ()) is None)
    assert opening_may_be_claim(text) in (True, False)


@given(st.lists(st.sampled_from(sorted({word for sentence in FALSE for word in sentence.split()})), max_size=20))
def test_any_words_at_all_can_be_judged(words: list[str]) -> None:
    assert isinstance(allowed(" ".join(words), (effect("book", "open"),)), bool)


@pytest.mark.parametrize("piece", ["I have booked you, ", "if ", "just ", ", ", "the slot ", "booked. ", "I will and "])
def test_a_long_text_takes_its_length_in_time(piece: str) -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        allowed(piece * (size // len(piece)), ())
        return time.process_time() - began

    assert seconds(16_000) < 12 * seconds(4_000) + 0.05


# ── What is so ───────────────────────────────────────────────────────────────────────────────────────────────────────

TRUE = {
    # sentence: (tool, the states that make it true)
    "I have booked you for Tuesday.": ("book", {"kept"}),
    "Your appointment is confirmed.": ("book", {"kept"}),
    "You are all set for Tuesday.": ("book_visit", {"kept"}),
    "It's done.": ("book", {"kept"}),
    "I'll book it.": ("book", {"waiting", "keeping"}),
    "I'll have that booked for you.": ("book", {"waiting", "keeping"}),
    "Your appointment will be booked.": ("book", {"waiting", "keeping"}),
    "Your appointment is being booked.": ("book", {"running", "keeping"}),
    "I am booking it now.": ("book", {"running", "keeping"}),
    "I am holding Tuesday at ten for you.": ("book", {"open", "asking", "keeping", "kept"}),
    "I just sent you a text.": ("send_text", {"kept"}),
    "I will text you the details.": ("send_text", {"waiting", "keeping"}),
    "You'll receive a text shortly.": ("text_confirmation", {"waiting", "keeping"}),
    "The deposit has been taken.": ("take_deposit", {"kept"}),
    "I've charged your card.": ("take_deposit", {"kept"}),
    "I have noted your message.": ("take_message", {"kept"}),
    "I've passed your message on.": ("leave_message", {"kept"}),
    "I have cancelled it.": ("book", {"dropped", "taken_back"}),
    "I've let it go.": ("book", {"dropped", "taken_back"}),
    "I am cancelling it now.": ("book", {"dropping"}),
    "I have refunded the deposit.": ("take_deposit", {"dropped", "taken_back"}),
    "I've cancelled your appointment.": ("cancel_visit", {"kept"}),
    "I moved your appointment.": ("move_appointment", {"kept"}),
    "I've ordered the taxi.": ("order_taxi", {"kept"}),
    "I have faxed the form.": ("fax_form", {"kept"}),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("sentence", TRUE)
def test_a_claim_is_spoken_in_the_states_that_make_it_true_and_in_no_other(sentence: str, state: str) -> None:
    tool, states = TRUE[sentence]
    assert allowed(sentence, (effect(tool, state),)) is (state in states)


@pytest.mark.parametrize(
    ("sentence", "tool"),
    [
        ("I have booked you for Tuesday.", "send_text"),
        ("I have booked you for Tuesday.", "cancel_booking"),
        ("I have booked you for Tuesday.", "take_deposit"),
        ("Your appointment is confirmed.", "take_deposit"),
        ("I just sent you a text.", "book"),
        ("The deposit has been taken.", "book"),
        ("I have noted your message.", "book"),
        ("I've let the front desk know.", "book"),
        ("I've moved your appointment.", "book"),
        ("I have cancelled it.", "book"),
        ("I've ordered the taxi.", "book"),
        ("I've renewed your prescription.", "order_taxi"),
    ],
)
def test_what_one_tool_did_bears_out_no_claim_of_another_act(sentence: str, tool: str) -> None:
    assert stop(sentence, (effect(tool, "kept"),)) == NOTHING_DONE


def test_each_claim_of_a_sentence_must_be_so() -> None:
    both = "I have booked you for Tuesday and sent you a text."
    assert not allowed(both, (effect("book", "kept"),))
    assert not allowed(both, (effect("send_text", "kept"),))
    assert allowed(both, (effect("book", "kept"), effect("send_text", "kept")))
    nouns = "Your appointment and your deposit are confirmed."
    assert not allowed(nouns, (effect("book", "kept"),))
    assert allowed(nouns, (effect("book", "kept"), effect("take_deposit", "kept")))


def test_it_is_done_says_nothing_of_one_effect_while_another_is_open() -> None:
    assert allowed("That's done.", (effect("book", "kept"), effect("send_text", "waiting")))
    assert not allowed("That's done.", (effect("book", "kept"), effect("take_deposit", "asking")))


def test_moved_is_one_kept_and_another_one_let_go() -> None:
    assert allowed("I've moved your appointment to Wednesday.", (effect("book", "dropped"), effect("book", "kept")))
    assert not allowed("I've moved your appointment to Wednesday.", (effect("send_text", "dropped"), effect("book", "kept")))


def test_what_is_being_taken_back_is_not_gone_before_the_taking_back_is_done() -> None:
    undone, claim = effect("book", "taken_back"), "I've cancelled your appointment."
    for state in set(STATES) - {"taken_back"}:
        assert allowed(claim, (undone, effect("book", state, "take_back"))) is (state in {"kept", "failed", "dropped"})
    assert not allowed("I have booked you.", (undone, effect("book", "kept", "take_back")))
    assert allowed("I am cancelling it.", (undone, effect("book", "keeping", "take_back")))
    assert not allowed(claim, (effect("book", "kept"), effect("book", "dropped", "take_back")))


def test_a_cancellation_is_of_what_the_sentence_names() -> None:
    gone = (effect("take_deposit", "taken_back"), effect("book", "kept"))
    assert not allowed("I have cancelled your appointment.", gone)
    assert allowed("I have cancelled the payment.", gone)


def test_an_author_says_what_a_tool_does_where_its_name_does_not() -> None:
    kept = (effect("finish", "kept"),)
    assert not allowed("I have booked Tuesday.", kept)
    assert allowed("I have booked Tuesday.", kept, {"finish": frozenset({"book", "appointment"})})


def test_an_authors_own_verb_is_a_claim_even_before_the_tool_ran() -> None:
    assert allowed("I have watered it.", ())
    assert not allowed("I have watered it.", (), {"garden": frozenset({"water"})})
    assert allowed("I have watered it.", (effect("garden", "kept"),), {"garden": frozenset({"water"})})
    assert allowed("I have looked.", (), {"look_up": frozenset({"look", "up"})})


@pytest.mark.parametrize(
    ("words", "does"),
    [
        ("book", {"book"}), ("book_visit", {"book"}), ("send_text", {"send"}), ("text_confirmation", {"send"}),
        ("take_deposit", {"charge"}), ("charge_card", {"charge"}), ("take_message", {"note", "send"}), ("hold_slot", {"book"}),
        ("confirm_booking", {"book"}),
        ("complete_booking", {"book"}), ("finish", {"finish"}),
        ("cancel_booking", {"cancel"}), ("move_booking", {"move"}), ("reschedule", {"move"}), ("order_taxi", {"order"}),
        ("frobnicate", {"frobnicate"}),
    ],
)  # fmt: skip
def test_a_tools_acts_are_its_verbs_or_else_its_nouns(words: str, does: set[str]) -> None:
    assert acts_of(words.split("_")) == does


# ── What is said instead ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((), NOTHING_DONE),
        (("open",), "That is not settled yet."),
        (("asking",), "That is not settled yet."),
        (("unknown", "open"), "I do not know yet whether that went through; a person will check."),
        (("dropped",), "That was let go."),
        (("dropped", "open"), "That is not settled yet."),
        (("dropping",), "I am still letting go of that."),
        (("failed",), "That did not work."),
    ],
)
def test_the_truth_is_told_by_what_is_most_open(states: tuple[str, ...], said: str) -> None:
    effects = tuple(effect("book", state) for state in states)
    assert truth(effects) == said
    assert stop("I have booked you.", effects) == said


def test_the_truth_is_about_what_was_claimed() -> None:
    effects = (effect("book", "kept"), effect("send_text", "unknown"))
    assert stop("I've taken the deposit.", effects) == NOTHING_DONE
    assert stop("I have texted you.", effects) == "I do not know yet whether that went through; a person will check."
    assert stop("I will book it.", effects) == "That is done already."
    assert stop("I have cancelled it.", effects) == NOTHING_DONE


@pytest.mark.parametrize("state", STATES)
def test_the_truth_itself_may_always_be_said(state: str) -> None:
    assert allowed(truth((effect("book", state),)), (effect("book", state),))
    assert allowed(NOTHING_DONE, ())


def test_every_state_has_its_truth() -> None:
    assert {state for states, _ in TRUTH for state in states} == set(STATES)


# ── Openings, for a thinker that streams ─────────────────────────────────────────────────────────────────────────────


def test_a_claim_is_held_back_before_it_is_complete() -> None:
    for sentence in FALSE:
        openings = [sentence[: space.start()] for space in re.finditer(r"\s|$", sentence)]
        complete = next(place for place, opening in enumerate(openings) if not allowed(opening, ()))
        before = openings[complete - 1] if complete else "."
        assert before.endswith((".", "!", "?")) or opening_may_be_claim(before), openings[complete]


@pytest.mark.parametrize(
    ("opening", "held"),
    [
        ("", True), ("I", True), ("I have", True), ("I can", True), ("I can ", False), ("I can book", False),
        ("I can book that, I", True), ("Would you like", False), ("Would you like me to book it", False),
        ("Which day", False), ("What about Tuesday", False), ("Howev", True), ("You are", True), ("Sure.", False),
        ("Sure. I", True), ("Sure. Shall I ", False),
        ("I'd ", True), ("I've booked it", True), ("I've booked it.", True), ("Your", True),
        ("Can I tell you that you are", True),
    ],
)  # fmt: skip
def test_an_opening_is_held_while_it_may_become_a_claim(opening: str, held: bool) -> None:
    assert opening_may_be_claim(opening) is held


# ── The tables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sentence_is_written_plainly() -> None:
    assert plain("Okay — I’ve bo\u200boked it at 10:30 a.m.! Right?") == ("< okay , i have booked it at 10 30 am ", "<? right ")
    assert plain("...") == ()


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        ("book", {"book": "b", "booked": "p", "booking": "i"}),
        ("schedule", {"schedule": "b", "scheduled": "p", "scheduling": "i"}),
        ("modify", {"modify": "b", "modified": "p", "modifying": "i"}),
        ("drop*", {"drop": "b", "dropped": "p", "dropping": "i"}),
        ("send/sent/sent/sending", {"send": "b", "sent": "p", "sending": "i"}),
        ("put/put/put/putting", {"put": "bq", "putting": "i"}),
    ],
)
def test_a_verb_has_its_forms(verb: str, forms: dict[str, str]) -> None:
    assert acts.inflect(verb) == forms


def test_every_frame_and_saying_is_of_use() -> None:
    """Each is the first that fits somewhere in the corpora; a row that decides nothing has no place in a table."""
    decided = set()
    for sentence in (*FALSE, *HARMLESS):
        for piece in plain(sentence):
            for _, form, own, start, end in claims._words_for_acts(piece, claims._index()):
                around = f"{piece[:start]}@{piece[end:]}"
                decided |= {next((frame.pattern for _, frame in frames.FRAMES[form] if frame.search(around)), "")}
                decided |= {saying.pattern for _, _, saying in frames.SAYINGS if own and saying.search(piece)}
    rows = {frame.pattern for row in frames.FRAMES.values() for _, frame in row} | {row[2].pattern for row in frames.SAYINGS}
    assert rows <= decided, "\n".join(rows - decided)


def test_a_claim_says_what_it_claims() -> None:
    (claim,) = claims.claims("Okay, I have booked Tuesday.")
    assert (claim.acts, claim.tense) == (frozenset({"book"}), Tense.DONE)
    assert [claim.tense for claim in claims.claims("I'll book it. Your spot is held for you.")] == [Tense.WILL, Tense.HELD]
