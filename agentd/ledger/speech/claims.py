"""No truth, no claim: a model's sentence that says that an effect is done, or will be, though the ledger does not hold it.

`acts.py` has the words for acts, `frames.py` how a sentence claims one. A claim may be spoken only if an effect of that act is
in a state that makes it true; otherwise `truth` is said in place of the whole sentence. Which acts an effect is of is taken
from its tool's name, or from the words that its author declared. English only, as the tables are: another language brings
tables of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from agentd.ledger.speech.acts import LIGHT, NOUNS, ONLY_TALK, STATES, UNLISTED, VERBS, Verb, index, inflect, pattern
from agentd.ledger.speech.frames import CONDITION, FRAMES, SAYINGS, Tense
from agentd.ledger.speech.plain import plain
from agentd.messages import NOTHING, Effect


@dataclass(frozen=True, slots=True)
class Claim:
    """`text` claims one of `acts`, or any act where there are none, in this tense; its nouns speak of the acts `nouns`."""

    acts: frozenset[str]
    tense: Tense
    text: str
    nouns: frozenset[str] = frozenset()


TRUE_IN: Final = {
    Tense.DONE: frozenset({"kept"}),
    Tense.WILL: frozenset({"waiting", "keeping"}),
    Tense.NOW: frozenset({"running", "keeping"}),
    Tense.HELD: frozenset({"open", "asking", "keeping", "kept"}),
}
"""The states of an effect that make a claim of its act true."""

LET_GO_IN: Final = {
    Tense.DONE: frozenset({"dropped", "taken_back"}),
    Tense.WILL: frozenset({"dropping"}),
    Tense.NOW: frozenset({"dropping"}),
}
"""The states of an effect that make it true that it was let go."""

LETS_GO: Final = {"cancel": frozenset[str](), "refund": frozenset({"charge"})}
"""Acts that let others go, and which; none: whichever."""

UNSETTLED: Final = frozenset({"running", "open", "asking", "keeping", "dropping", "unknown"})
"""While an effect is in one of these, "it is done" is not true of another one alone."""

TRUTH: Final = (
    (frozenset({"unknown"}), "I do not know yet whether that went through; a person will check."),
    (frozenset({"running", "open", "asking", "waiting", "keeping"}), "That is not settled yet."),
    (frozenset({"dropping"}), "I am still letting go of that."),
    (frozenset({"dropped", "taken_back"}), "That was let go."),
    (frozenset({"failed"}), "That did not work."),
    (frozenset({"kept"}), "That is done already."),
)
NOTHING_DONE: Final = "I have not done that yet."

_WINDOW: Final = 200
"""Characters on either side of a word that can bear on it."""


def claims(sentence: str, verbs: frozenset[str] = frozenset()) -> tuple[Claim, ...]:
    """What `sentence` (or several) claims of effects; `verbs` are a flow's own, in their base form, beside everyday ones."""
    return tuple(claim for piece in plain(sentence) for claim in _claims(piece, _index(verbs)))


def allowed(sentence: str, effects: Sequence[Effect], vocabulary: Mapping[str, frozenset[str]] = NOTHING) -> bool:
    """Whether all that `sentence` claims is so; `vocabulary` gives a tool's words where its name does not say what it does."""
    return stop(sentence, effects, vocabulary) is None


def stop(sentence: str, effects: Sequence[Effect], vocabulary: Mapping[str, frozenset[str]] = NOTHING) -> str | None:
    """What to say in place of `sentence`, or None where it may be said."""
    deeds = _deeds(effects, vocabulary)
    for claim in claims(sentence, _unheard_of(*vocabulary.values(), *(effect.tool.split("_") for effect in effects))):
        if not _is_so(claim, deeds):
            return _truth({deed.state for deed in deeds if _is_meant(claim, deed)})
    return None


def truth(effects: Sequence[Effect]) -> str:
    """How things stand with these effects, the most open of them first."""
    return _truth({deed.state for deed in _deeds(effects, NOTHING)})


def _truth(states: set[str]) -> str:
    return next((said for among, said in TRUTH if states & among), NOTHING_DONE)


def acts_of(words: Iterable[str]) -> frozenset[str]:
    """The acts that a tool's words speak of: its verbs, or else its nouns, or else the words themselves."""
    said = [word.lower() for word in words]
    nouns = {word: acts for word in said for acts, noun in _NOUNS if noun.fullmatch(word)}
    telling = [verb for word in said if word not in nouns and word not in LIGHT for verb in _index().get(word, ())]
    verbs = (verb.acts for verb in telling if verb.form != "i")
    return frozenset().union(*verbs) or frozenset().union(*nouns.values()) or frozenset(said)


def opening_may_be_claim(text: str) -> bool:
    """Whether `text`, the opening of a sentence, claims something or might yet: hold it back until this is false."""
    if claims(text):
        return True
    if text.rstrip().endswith((".", "!", "?")):
        return False
    whole_words = plain(re.sub(r"\w+$", "", text)) or ("<",)
    clause = re.split(r"[<,]|\b(?:and|but|so|because|since|that|then|or)\b", whole_words[-1])[-1]
    return _HARMLESS_OPENING.fullmatch(f"{clause.strip()} ") is None


# ── Finding claims ───────────────────────────────────────────────────────────────────────────────────────────────────

_STATES: Final = tuple((frozenset(act.split()), pattern(rf"\b(?:{state})\b")) for act, state in STATES)
_NOUNS: Final = tuple((frozenset(acts.split()), pattern(rf"\b(?:{noun})\b")) for acts, noun in NOUNS)
_PAST: Final = re.compile("[a-z]{2,}(?<!e)ed")
_BESIDE: Final = pattern(UNLISTED)
_HARMLESS_OPENING: Final = re.compile(
    r"(?:(?:would|do|does|did|can|could|may|shall|should) (?:you|i|we|it|that) |(?:i|we|you) (?:can|could|may|need to) |"
    r"(?:what|which|who|when|where|how) (?!i |we |you |your |it |the ))"
    r"(?:(?!(?:i|we|is|are|was|were|has|have|had|been|got|done|will|tell|say|assure|promise|confirm|believe|swear|see)\b)"
    r"[a-z0-9]+ )*"
)


@lru_cache(maxsize=64)
def _index(verbs: frozenset[str] = frozenset()) -> Mapping[str, tuple[Verb, ...]]:
    return index((*VERBS, *((verb, verb, "") for verb in sorted(verbs))))


def _unheard_of(*vocabulary: Iterable[str]) -> frozenset[str]:
    """The words in it that are in no table: each may be a verb."""
    words = {word.lower() for said in vocabulary for word in said if word.isalpha()}
    known = (word for word in words if word in _index() or ONLY_TALK & inflect(word).keys() or _nouns(word))
    return frozenset(words.difference(known))


def _nouns(text: str) -> list[frozenset[str]]:
    """The acts of each noun in it."""
    return [acts for acts, noun in _NOUNS if noun.search(text)]


def _claims(piece: str, verbs: Mapping[str, tuple[Verb, ...]]) -> Iterator[Claim]:
    for acts, form, own, start, end in _words_for_acts(piece, verbs):
        around = f"{piece[max(0, start - _WINDOW) : start]}@{piece[end : end + _WINDOW]}"
        fits = next((tense for tense, frame in FRAMES[form] if frame.search(around)), None)
        tense = fits and (own or fits)
        if tense is None or (tense in (Tense.WILL, Tense.NOW) and CONDITION.search(piece)):
            continue
        if acts == {"hold"} and tense is not Tense.WILL:
            tense = Tense.HELD
        spoken = _nouns(piece[piece.rfind(",", 0, start) + 1 : end] + piece[end:].partition(",")[0])
        for claimed in [acts] if acts else spoken or [acts]:
            yield Claim(claimed, tense, piece.strip("<? "), frozenset().union(*spoken))


def _words_for_acts(
    piece: str, verbs: Mapping[str, tuple[Verb, ...]]
) -> Iterator[tuple[frozenset[str], str, Tense | None, int, int]]:
    """Each word or saying for acts: the acts, its form, the tense that a saying has of itself, and where it stands."""
    for word in re.finditer("[a-z0-9]+", piece):
        beside = f"{piece[max(0, word.start() - _WINDOW) : word.start()]}@{piece[word.end() : word.end() + _WINDOW]}"
        listed = [verb for verb in verbs.get(word[0], ()) if verb.near is None or verb.near.search(beside)]
        yield from ((verb.acts, verb.form, None, *word.span()) for verb in listed)
        if not listed and _PAST.fullmatch(word[0]) and word[0] not in ONLY_TALK and _BESIDE.search(beside):
            yield frozenset(), "u", None, *word.span()
    for acts, state in _STATES:
        yield from ((acts, "s", None, *found.span()) for found in state.finditer(piece))
    for act, tense, saying in SAYINGS:
        yield from ((frozenset(act.split()), "w", tense, *found.span()) for found in saying.finditer(piece))


# ── What is so ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Deed:
    """What an effect is good for in judging claims. A taking back counts as the letting go that it is."""

    tool: str
    state: str
    acts: frozenset[str]


def _deeds(effects: Sequence[Effect], vocabulary: Mapping[str, frozenset[str]]) -> list[_Deed]:
    undoing = {
        effect.tool for effect in effects if effect.kind == "take_back" and effect.state not in {"kept", "failed", "dropped"}
    }
    deeds = []
    for effect in effects:
        state = effect.state
        if effect.kind == "take_back":
            state = {"kept": "taken_back", "waiting": "dropping", "keeping": "dropping"}.get(state, state)
        elif state == "taken_back" and effect.tool in undoing:
            state = "dropping"
        if effect.kind != "take_back" or state != "dropped":
            deeds.append(_Deed(effect.tool, state, acts_of(vocabulary.get(effect.tool) or effect.tool.split("_"))))
    return deeds


def _is_so(claim: Claim, deeds: Sequence[_Deed]) -> bool:
    """Whether the deeds make it true. To move is to keep one of a tool's effects and to let another one go; a cancellation
    that was dropped has cancelled nothing."""
    true_in = TRUE_IN[claim.tense]
    here = [deed for deed in deeds if deed.state in true_in]
    gone = [deed for deed in deeds if deed.state in LET_GO_IN.get(claim.tense, ()) and not deed.acts & LETS_GO.keys()]
    if not claim.acts:
        return bool(here) and not any(deed.state in UNSETTLED - true_in for deed in deeds)
    if claim.acts == {"move"} and {deed.tool for deed in here} & {deed.tool for deed in gone}:
        return True
    for act in claim.acts & LETS_GO.keys():
        of = LETS_GO[act] or claim.nouns
        if any(not of or of & deed.acts for deed in gone):
            return True
    return any(_speaks_of(claim, deed) for deed in here)


def _speaks_of(claim: Claim, deed: _Deed) -> bool:
    return bool(claim.acts & deed.acts) or ("hold" in claim.acts and claim.tense is Tense.HELD and "book" in deed.acts)


def _is_meant(claim: Claim, deed: _Deed) -> bool:
    """Whether how the deed stands answers the claim: where it is done, only if the very act is named."""
    if not claim.acts:
        return deed.state != "kept"
    return _speaks_of(claim, deed) or (deed.state == "dropping" and bool(claim.acts & LETS_GO.keys()))
