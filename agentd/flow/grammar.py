"""What a state expects to hear, for recognizers: a JSGF grammar for a small one, key terms for a large one.

A grammar holds the state's requests (with a lead such as "can I" and a time behind them), the values of its slots, and what
callers say anywhere: yes, no, thanks, stop words, backchannels, pleas to repeat. All of it is spelled as in a dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from agentd.flow import moments, numbers, vocabulary
from agentd.flow.declare import State, ends
from agentd.flow.effects import EffectTool
from agentd.flow.slots import Slot
from agentd.messages import Hints
from agentd.turn.words import AFFIRMATIONS, NEGATIONS, normalise

if TYPE_CHECKING:
    from agentd.flow.model import Flow

KEYTERMS = 50
"""Key terms for one state: hosted recognizers take up to a hundred, and each weakens the others."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")


def spelled(text: str) -> str:
    """`text` as a dictionary spells it: lower case, words only, figures in words."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    return " ".join(numbers.spell(int(word)) if word.isdecimal() and len(word) < 7 else word for word in words)


def one_of(phrases: Iterable[str]) -> str:
    """An alternative of phrases, each once."""
    return " | ".join(dict.fromkeys(filter(None, map(spelled, phrases))))


@cache
def _shared() -> dict[str, str]:
    """The rules that every grammar has, by their names."""
    return {
        "lead": one_of(vocabulary.LEADS),
        "tail": one_of(vocabulary.TAILS),
        "before": "actually | no | i meant | no i meant | make that | yes please | sorry",
        "yes_no": "yes | yeah | no",
        "short": one_of(vocabulary.SHORT + vocabulary.REPEATS + vocabulary.THANKS + vocabulary.WAITS + vocabulary.GREETINGS),
        "pick": one_of(vocabulary.PICKS),
        "verdict": one_of(vocabulary.VERDICTS),
        "weekday": one_of(moments.WEEKDAYS),
        "month": one_of(moments.MONTHS),
        "part": "[in the] (morning | afternoon | evening)",
        "nth": f"[twenty] ({one_of(numbers.ORDINALS[:9])}) | {one_of(numbers.ORDINALS[9:])} | thirtieth | thirty first",
        "hour": one_of(numbers.spell(hour) for hour in range(1, 13)),
        "clock": "[half past | quarter past | quarter to] <hour> [thirty | fifteen | o'clock]",
        "hour_of_day": "<part> | at <clock>",
        "day": "[on | for] (today | tomorrow | [next] <weekday>)",
        "date": "[on] the <nth> of <month>",
        "moment": "<day> [<hour_of_day>] | [at] <hour> o'clock | at <clock>",
        "digit": one_of((*numbers.UNITS, "oh")),
        "digits": f"{'<digit> ' * 6}<digit> [<digit> <digit> <digit> [<digit>]]",
        "phone_lead": "my number is | my phone number is | the number is | it is",
        "first_name": one_of(vocabulary.FIRST_NAMES),
        "last_name": one_of(vocabulary.LAST_NAMES),
        "person": "<first_name> [<last_name>]",
        "name_lead": one_of(("my name is", "the name is", "this is", "it is", "i am")),
        "small": one_of(numbers.spell(number) for number in range(20)),
        "number": f"[{one_of(numbers.TENS)}] <small>",
    }


def hints(flow: Flow, state: State) -> Hints:
    """The recognizer's hints for one state of a flow."""
    phrases = flow.phrases(state.name)
    terms = (*flow.keyterms, *(phrase for said in phrases.values() for phrase in said if len(phrase.split()) > 1))
    name = re.sub(r"\W", "_", f"{flow.name}_{state.name}")
    return Hints(name, jsgf(flow, state, name), tuple(dict.fromkeys(terms))[:KEYTERMS])


def jsgf(flow: Flow, state: State, name: str) -> str:
    """The grammar of one state, with just the shared rules that it refers to.

    A recognizer copies a rule wherever it is named, and joins every end to every beginning that may follow: each rule is
    named once, and what nothing follows stands apart. Written the obvious way it took five times as long to load. Whatever is
    allowed here is also what noise is taken for, so that bare numbers and dates are expected only where they are asked for.
    """
    own = flow.filled_by(state)
    timely = {when.trigger for when in flow.transitions if any(map(_is_time, flow.filled_by(flow.by_name[when.dest])))}
    phrases = flow.phrases(state.name) | flow.leading_to(state.name)
    plain = one_of(phrase for name, said in phrases.items() if name not in timely for phrase in said)
    dated = one_of(phrase for name, said in phrases.items() if name in timely for phrase in said)
    values = [slot.spoken.grammar for slot in own]
    values += [] if ends(state) else [slot.spoken.mention for slot in flow.slots.values() if slot not in own]
    values += [one_of(slot.examples) for slot in own]
    values += ["<pick>"] if any(slot.name in flow.offering for slot in own) else []
    values += ["<verdict>"] if any(isinstance(tool, EffectTool) for tool in state.tools) else []
    rules = {"short_or_value": " | ".join(dict.fromkeys(filter(None, ["<short>", *values])))}
    requests = [plain, f"({dated}) [<day> [<hour_of_day>]]" if dated and any(map(_is_time, flow.slots.values())) else dated]
    if any(requests):
        rules["request"] = f"[<lead>] ({' | '.join(filter(None, requests))}) [<tail>]"
    if any(map(_is_time, own)):
        rules["time"] = "[<before>] <moment> [<tail>]"
    body = " | ".join(f"<{rule}>" for rule in ("request", "time", "short_or_value") if rule in rules)
    text = [f"#JSGF V1.0;\ngrammar {name};\npublic <utterance> = {body};\n"]
    needed = _closure(re.findall(r"<(\w+)>", body), rules)
    text += [f"<{rule}> = {(rules | _shared())[rule]};\n" for rule in needed]
    return "".join(text)


def _is_time(slot: Slot) -> bool:
    return slot.spoken.name == "time"


def _closure(first: list[str], own: dict[str, str]) -> list[str]:
    """The rules that are referred to, those of the state first."""
    table, found = _shared() | own, [*own, *first]
    for rule in found:
        found += [name for name in re.findall(r"<(\w+)>", table[rule]) if name not in found]
    return list(dict.fromkeys(found))


def complete(flow: Flow, state: State) -> frozenset[str]:
    """Texts, normalised, after which the caller has most likely finished in this state."""
    said = {normalise(phrase) for phrases in flow.phrases(state.name).values() for phrase in phrases} - AFFIRMATIONS - NEGATIONS
    leads = ("", *map(normalise, vocabulary.LEADS))
    tails = ("", *map(normalise, vocabulary.TAILS))
    whole = {" ".join(filter(None, parts)) for parts in product(leads, said, tails)}
    short = {*vocabulary.REPEATS, *vocabulary.THANKS, *vocabulary.WAITS, *vocabulary.PICKS, *AFFIRMATIONS, *NEGATIONS}
    if any(isinstance(tool, EffectTool) for tool in state.tools):
        short |= {*vocabulary.VERDICTS}
    whole |= {normalise(text) for text in short} - {"sorry", "no", "what"}
    if any(map(_is_time, flow.filled_by(state))):
        whole |= _times()
    return frozenset(whole)


@cache
def _times() -> frozenset[str]:
    """The usual ways to name a day with its time."""
    return frozenset(" ".join(filter(None, parts)) for parts in _time_parts())


def _time_parts() -> Iterator[tuple[str, ...]]:
    days = [f"{prefix}{day}" for prefix in ("", "next ") for day in moments.WEEKDAYS] + ["tomorrow", "today"]
    hours = [numbers.spell(hour) for hour in range(1, 13)]
    yield from product(("", "on", "for", "actually"), days, ("at",), hours, ("", "thirty", "oclock"))
    yield from product(("", "on", "for", "actually"), days, moments.PARTS)
    yield from product(("at",), hours, ("", "thirty", "oclock"))
