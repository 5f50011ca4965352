"""The words for acts upon the world: which verbs, states and nouns speak of an effect, and of which.

An *act* is named for what effects do: book, hold, cancel, send, charge, refund, note, move, call, order; other verbs are acts
of their own name. No act at all means whichever effect is spoken of ("it is done"), unless a noun beside it tells.
Patterns are written for plain sentences (`plain.py`), with names in braces for what is needed often.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

NAMES: Final[dict[str, str]] = {
    "DAY": "(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow|tonight|noon)",
    "SLOT": "(?:(?:appointment|booking|reservation|slot|spot|visit|table|room|seat|session|cleaning|check up|checkup)s?)",
    "MONEY": "(?:(?:deposit|payment|fee|amount|money|dollar|euro|pound|transaction)s?)",
    "LETTER": "(?:(?:text|sms|email|e mail|mail|message|confirmation|reminder|link|receipt|invitation|invite|letter)s?)",
    "MESSAGE": "(?:(?:note|message|request|complaint|feedback)s?|(?:for|on|to) (?:the|your|our) (?:front )?"
               "(?:dentist|doctor|team|desk|office|file|record|account))",
    "EFFECT": "(?:{SLOT}|{MONEY}|{LETTER}|{MESSAGE}|(?:cancellation|refund|callback|call back|ticket|change|order|hold|"
              "charge)s?)",
    "THINGS": "(?:it|that|this|them|you|your|everything|both|calendar|schedule|diary)",
    "PEOPLE": "(?:the|them|him|her|your|our|my|dr|everyone|everybody|someone|somebody)",
    "FEW": "(?:[a-z0-9]+ ){0,4}",
    # "you down", "it in", "your slot on the …", the verb before it or between; but nobody is put through
    "PLACED": r"\b(?:you|it|that|this|them|both|everything|name|{DAY}|{SLOT}) (?:(?!through\b)[a-z0-9]+ )*?(?:@ )?"
              r"(?:(?!through\b)[a-z0-9]+ ){0,4}(?:down|in|into|onto|(?:on|to) (?:the|our|my))\b",
}  # fmt: skip


def pattern(text: str, names: Mapping[str, str] = NAMES) -> re.Pattern[str]:
    """A pattern with its names, as {NAME}, filled in."""
    while (filled := re.sub(r"\{([A-Z]+)\}", lambda name: names[name[1]], text)) != text:
        text = filled
    return re.compile(text)


NOUNS: Final = (
    ("book", "{DAY}|{SLOT}|calendar|schedule|diary"),
    ("charge", "{MONEY}|card"),
    ("send", "(?:text|sms|email|e mail|mail|confirmation|reminder|receipt|invitation|invite|letter)s?"),
    ("note send", "messages?"),
    ("note", "(?:note|request|complaint|feedback)s?"),
    ("order", "orders?"),
)
"""What a tool's name, or a sentence, is about where no verb tells."""

VERBS: Final = (
    # act, verbs (regular ones, or base/past/participle/-ing with "-" for none; "*" doubles the last letter), and what must
    # stand beside it, itself written "@"
    ("book", "book schedule reserve prebook", ""),
    ("book", "pop* pencil pencil* slot* squeeze lock snag* grab* nab* block fit* sign",
     r"@ .*\b(?:in|down|you|for)\b|{SLOT}|{DAY}"),
    ("book", "create secure arrange organize organise guarantee allocate make/made/made/making set/set/set/setting",
     r"\b(?:{SLOT}|{DAY}|clock)\b"),
    ("book", "add enter place mark put/put/put/putting write/wrote/written/writing", "{PLACED}"),
    ("book", "give/gave/given/giving", r"@ you {FEW}(?:{SLOT}|{DAY}|clock)\b"),
    ("hold", "save hold/held/held/holding keep/kept/kept/keeping", r"\b(?:{SLOT}|{DAY}|clock|time)\b|@ .*\bfor you\b"),
    ("hold", "place put/put/put/putting", r"\ba hold\b|\baside\b"),
    ("refund", "refund reimburse", ""),
    ("cancel", "cancel cancel* revoke annul void reverse undo/undid/undone/undoing", ""),
    ("cancel", "release remove delete drop* free clear erase scrap* withdraw/withdrew/withdrawn/withdrawing",
     r"\b(?:{SLOT}|{DAY})\b|@ (?:it|that|you|your)\b"),
    ("cancel", "let/let/let/letting", r"@ (?:[a-z0-9]+ ){0,5}go\b"),
    ("cancel", "roll", r"@ {FEW}back\b"),
    ("cancel", "call cross", r"@ {FEW}off\b"),
    ("cancel", "take/took/taken/taking",
     r"\b(?:{DAY}|you|it|that|your [a-z]+) (?:[a-z]+ )*(?:@ )?(?:[a-z]+ )?(?:off (?:the|our)|back)\b"),
    ("send", "send/sent/sent/sending text email mail message sms dispatch fax forward ping", ""),
    ("send", "set/set/set/setting", r"\breminders?\b"),
    ("send", "drop* fire shoot/shot/shot/shooting", r"\b(?:{LETTER}|a line)\b"),
    ("charge", "charge bill debit prepay/prepaid/prepaid/prepaying", ""),
    ("charge", "collect process receive deduct accept capture authorize authorise post settle take/took/taken/taking "
     "run/ran/run/running pay/paid/paid/paying withdraw/withdrew/withdrawn/withdrawing",
     r"\b(?:{MONEY}|your card|the card)\b(?! (?:number|details))(?!.*@ back\b)"),
    ("note", "note record log* jot* attach file save add enter -/took/taken/- leave/left/left/leaving "
     "write/wrote/written/writing", r"\b(?:{MESSAGE}|calendar|system)\b"),
    ("note", "-/made/made/-", r"\bnote\b .*\b{MESSAGE}\b"),
    ("note send", "relay convey inform notify alert", ""),
    ("note send", "pass deliver", r"\b{MESSAGE}\b|@ {FEW}(?:on|along)\b"),
    ("note send", "brief tell/told/told/telling",
     r"@ {PEOPLE}\b|\b(?:desk|team|dentist|doctor|staff|office|they|someone) (?:have|has|is) (?:[a-z]+ )*been @"),
    ("note send", "let/let/let/letting", r"@ {PEOPLE} {FEW}know\b"),
    ("call", "call phone contact ask ring/rang/rung/ringing", r"@ (?:the|them|him|her|our|dr|someone|somebody)\b"),
    ("call", "talk speak/spoke/spoken/speaking", r"@ (?:to|with) {PEOPLE}\b"),
    ("move", "reschedule rebook postpone", ""),
    ("move", "move change switch swap* shift bump push update amend modify adjust alter bring/brought/brought/bringing",
     r"@ (?:the |our |{THINGS}\b)(?! (?:[a-z]+ )?(?:name|number|phone|spelling|address))|"
     r"\b(?:{SLOT}|{THINGS}|details|time|date|day) (?:[a-z]+ )*@"),
    ("move", "transfer*", r"@ (?:it|that|your)\b"),
    ("move", "make/made/made/making", r"\b(?:change|switch|move)s?\b"),
    ("order", "order", ""),
    ("order", "place", r"\borders?\b"),
    ("submit", "submit* file place put/put/put/putting", r"\b(?:request|claim|form|application|complaint)s?\b"),
    ("register", "register enroll enrol sign", r"@ (?:you|your|it|that)\b|\byou (?:[a-z]+ )*@"),
    ("", "-/confirmed/confirmed/confirming finalize finalise", ""),
    ("", "do/did/done/doing", r"@ (?:it|that|this|so|everything|(?:the|your) {EFFECT})\b"),
    ("", "take/took/taken/taking", "@ {FEW}care of"),
    ("", "set/set/set/setting", r"@ (?:it|that|this|your [a-z]+) up\b"),
    ("", "put/put/put/putting", r"@ (?:(?:it|that|this|(?:your|the) [a-z]+) )?through\b(?! to)"),
    ("", "arrange organize organise complete process handle sort resolve fix execute wrap* finish",
     r"\b(?:it|that|this|everything|your|for (?:someone|somebody)|{EFFECT})\b"),
    *((verb, verb, r"\b(?:it|that|this|you|your|the|a|an)\b") for verb in (
        "purchase", "renew", "activate", "deactivate", "unlock", "block", "reset*", "subscribe", "unsubscribe", "issue", "ship",
        "approve", "upgrade", "downgrade", "waive", "credit", "redeem", "assign")),
)  # fmt: skip

LIGHT: Final = {
    "add", "call", "close", "do", "enter", "file", "get", "hold", "keep", "leave", "let", "make", "mark", "open", "place",
    "put", "run", "save", "set", "sign", "take", "write",
}  # fmt: skip
"""Verbs that say nothing of a tool without their noun."""

STATES: Final = (
    # Behind "you are", "it is": no verbs, and they claim as much
    ("", "all set|sorted(?: out)?|good to go|squared away|a done deal|a date|official|complete|successful|active"),
    ("", r"in place|settled|set(?! (?:up|back|in|by)\b)|under ?way|in progress"),
    ("", r"done(?! (?:by|without|under|at the|in (?:one|about|half|around|less|[a-z]+ (?:[a-z]+ )?(?:minutes|hours)))\b)"),
    ("book", "(?:in|on) (?:the|our|my) (?:calendar|diary|system|schedule|books?)|(?:all )?(?<!choice is )yours|good for {DAY}"),
    ("book", "(?:down|in) (?:for|at|on) (?:[a-z0-9]+ )?(?:{DAY}|[0-9]+|[a-z]+ (?:clock|thirty|fifteen|am|pm)|nine|ten|eleven)"),
    ("hold", "on hold for you"),
    ("cancel", "off (?:the|our) (?:books?|calendar|schedule|list)"),
    ("send", "on (?:its|the|their|it is) way|(?:heading|headed) your way|in your inbox"),
)  # fmt: skip

UNLISTED: Final = r"\b(?:{EFFECT}|{DAY})\b"
"""Beside one of these, any verb in "-ed" may speak of an effect, but for those that only look, ask and talk."""

ONLY_TALK: Final = {
    "agreed", "allowed", "appeared", "arrived", "asked", "assumed", "believed", "based", "called", "checked", "chosen",
    "closed", "compared", "connected", "considered", "described", "detected", "discussed", "encountered", "ended", "expected",
    "explained", "happened", "hoped", "identified", "included", "intended", "interested", "limited", "liked", "listed",
    "located", "looked", "mentioned", "missed", "named", "noted", "noticed", "offered", "planned", "preferred", "proposed",
    "received", "recommended", "related", "repeated", "required", "reviewed", "searched", "seemed", "selected", "started",
    "stayed", "suggested", "supposed", "transferred", "tried", "used", "verified", "viewed", "waited", "wanted", "watched",
    "wondered",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verb:
    """A form of a verb: b(ase), p(ast), q (a past that looks like the base), i(ng). `near`: what must stand beside it."""

    acts: frozenset[str]
    form: str
    near: re.Pattern[str] | None


def inflect(verb: str) -> dict[str, str]:
    """The forms of a verb as the table writes it, and which they are."""
    if "/" in verb:
        base, past, participle, ing = verb.split("/")
        return {past: "p", participle: "p", ing: "i"} | {base: "bq" if base in (past, participle) else "b"}
    stem = verb.rstrip("*")
    root = stem + stem[-1] if verb.endswith("*") else stem.removesuffix("e")
    past = f"{stem[:-1]}ied" if re.search("[^aeiou]y$", stem) else f"{root}ed"
    return {past: "p", f"{root}ing": "i", stem: "b"}


def index(rows: Iterable[tuple[str, str, str]]) -> dict[str, tuple[Verb, ...]]:
    """Every form of every verb in such rows."""
    forms: dict[str, list[Verb]] = defaultdict(list)
    for acts, verbs, near in rows:
        beside = pattern(near) if near else None
        for verb in verbs.split():
            for form, kinds in inflect(verb).items():
                forms[form].extend(Verb(frozenset(acts.rstrip("*").split()), kind, beside) for kind in kinds)
    return {form: tuple(verbs) for form, verbs in forms.items()}
