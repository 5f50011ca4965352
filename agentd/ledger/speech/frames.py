"""How a sentence claims an act: what stands around a word for one, held against one table.

Around the word "booked", "okay, I've booked it" reads "< okay , i have @ it " (`plain.py`). The frames are tried from the top,
and the first that fits says whether that is a claim, and of what tense. Those that claim nothing stand before those that might
take them for a claim: questions, negations, conditions, wishes, offers, reports of what others did, how things usually are. A
participle that none of them excuses is a claim; any other word is one only where a frame says so.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from agentd.ledger.speech import acts


class Tense(Enum):
    """What is claimed of an act: that it is done, promised, under way, or that something is held."""

    DONE = auto()
    WILL = auto()
    NOW = auto()
    HELD = auto()


DONE, WILL, NOW = Tense.DONE, Tense.WILL, Tense.NOW

NAMES: Final[dict[str, str]] = acts.NAMES | {
    "ASKS": "(?:have|has|had|do|does|did|is|are|am|was|were|will|shall|would|should|could|can|may|might|must)",
    "AUX": "(?:{ASKS}|be|been|being|got|gets)",
    "PRONOUN": "(?:i|we|you|he|she|they|it|this|that|everything|things)",
    "JOINT": "(?:not|no|nothing|nobody|none|never|to|if|and|or|but|because|so|who|which|when|once|see|know)",
    "WORD": r"(?:(?!(?:{AUX}|{PRONOUN}|{JOINT})\b)[a-z0-9]+ )",
    "OBJECT": "(?:(?:it|that|this|you|everything|yourself) |{WORD})",
    "SUBJECT": "(?:{PRONOUN} |{WORD}{1,7})",
    "RARELY": "(?:hardly|barely|nearly|fully|usually|normally|typically|generally|regularly|commonly)",
    "BYWAY": "(?:(?!{RARELY}|only)[a-z]+ly|just|now|already|also|then|indeed|so|all|both|even|here|too|well|straight|again|yet|"
             "still|right away|as well|of course|only just|pretty much|as good as|for you|at last|more or less|"
             "(?:gone|went|go|going) (?:ahead|right ahead|on) and|(?:gone|went) and) ",
    "TIGHT": "(?:{BYWAY})*",
    "LOOSE": "(?:{BYWAY}|, (?:[a-z0-9]+ ){1,8}, |, )*",
    "VERBS": "(?:{AUX} |not |never |{BYWAY})*",
    "START": r"(?:<\?? |, )",
    "OURS": "(?:system|team|office|computer|software|assistant|calendar)",
    "ME": r"\b(?:i|we|(?:the|our|my) {OURS}) {LOOSE}",
    "WILL": "(?:(?:will|shall|(?:am|are|is) {TIGHT}(?:going|about|off) to) )",
    "PARTS": "(?:time|slot|day|morning|afternoon|evening|week|month|one)s?",
    "TIME": "(?:{DAY}|{PARTS}|clock|am|pm|[0-9]+|nine|ten|eleven)",
    "THING": "(?:{EFFECT}|{TIME}|card|job)",
    "SOMEBODY": "(?:you|he|she|they|who|people|patients|someone|somebody|somebody else|dr [a-z]+)",
    "OTHERS": "(?:{SOMEBODY} |(?:the|your|our|my|another) {WORD}{0,3}(?!(?:{THING}|{OURS}|stands) ){WORD})",
    "UNTIL": "(?:if|once|when|whenever|until|till|unless|before|after|as soon as|as long as|by the time|the moment|in case)",
    "UNLESS": r"\b(?:{UNTIL}|whether|assuming|provided|supposing|ensure|mak(?:e|ing) sure|how|why) (?:that )?",
    "WHAT": "(?:what|which|who|whom|when|where|why|how)",
    "SAID": "(?:said|say|told (?:me|us)|mentioned|think|thought|believed|wrote|claimed|assumed?|heard|"
            "asked (?:me )?(?:if|whether))",
    "NOT": r"\b(?:not|never|hardly|barely|without|unable to|fail(?:ed)? to|yet to|nor|instead of|rather than|nothing|none) ",
}  # fmt: skip

ANY: Final = "bpqiusw"
"""The forms of a word: b(ase), p(ast), q (a past like the base), i(ng), u(nlisted past), s(tate), w(hole saying)."""

_FRAMES: Final[tuple[tuple[str, Tense | None, str], ...]] = (
    # Questions: "have i @", "is your visit @", "what would you like to have @", "@?", "you are @?" but not "you are @, okay?"
    (ANY, None, r"(?:{START}|\b(?:and|or|but|so|then) ){ASKS} (?:not )?(?!{BYWAY})(?:there |{SUBJECT})"
                r"(?:(?!(?:i|we|is|are|was|were|has)\b|, )[a-z0-9]+ ){0,10}(?:, )?@"),
    (ANY, None, r"<\? (?:[a-z]+ , )?(?:[a-z]+ )?{WHAT}\b"
                r"(?: (?!,|i|we|if|(?:you|it|that|everything) (?:is|are|was|has))\b[a-z0-9]+)* @"),
    (ANY, None, r"\b{WHAT} {WORD}{0,3}{ASKS} {SUBJECT}(?:be )?@"),
    ("pus", None, r"<\? (?:all |so )*@ $"),
    ("pusw", None, r"<\? (?:(?:so|and|then|,) )*(?:(?:you|it|that|everything) |your {WORD}{1,4})"
                   r"(?:are|is|was|were|(?:has|have) been) {TIGHT}@"
                   r"(?!.* (?:,|okay|ok|right|and|anything|would|can|shall|what|is|do|yes|yeah)\b)"),
    # Negations: "have not yet @", "does not look like it is @", "no deposit was @"
    (ANY, None, "{NOT}(?:(?:be|been|have|being|get|to|able|managed|need|going|want|like) )*{TIGHT}@"),
    ("pqusw", None, r"\bnot (?:look|seem|appear|think|believe|see|sure|certain|know|say) (?:(?:like|that|as|if) )*"
                    "{SUBJECT}?{VERBS}@"),
    ("pqusw", None, r"\b(?:no|nothing|none|nobody|neither|not one) (?:of (?:it|them|that) |{WORD}{1,4})?(?:{AUX} )+{TIGHT}@"),
    ("pqus", None, r"\bhave no {WORD}{1,4}@"),
    # Conditions, wishes, reports: "once it is @", "want it @", "you said that i have @", "say yes and i will @"
    ("pqs", WILL, "{ME}{WILL}{LOOSE}(?:make sure|see|see to it|ensure) (?:that )?{SUBJECT}{VERBS}@"),
    (ANY, None, "{UNLESS}{SUBJECT}{VERBS}(?:{OBJECT}{1,4})??@"),
    ("w", None, "{UNLESS}{WORD}{0,4}@"),
    ("pqu", None, r"\b(?:want|wants|wanted|need|prefer|wish|would like) {OBJECT}{1,5}(?:to be )?@"),
    (ANY, None, r"\byou (?:just |already |have |had )*{SAID} (?:that )?{SUBJECT}{VERBS}@"),
    (ANY, None, r"\b(?:sorry|understand|gather) (?:that |to hear (?:that )?)?{SUBJECT}{VERBS}@"),
    (ANY, None, "{START}(?:just |please |simply )?(?:say|tell me|give me) "
                "(?:(?!sec|second|moment|minute)[a-z0-9]+ ){1,8}(?:, )?and .*@"),
    # Promises, and what is under way: "i will @", "let me look and @", "will be @", "while i @", "@ that for you now"
    ("b", WILL, r"{ME}{WILL}(?:(?!(?:i|we)\b)[a-z0-9,]+ ){0,14}(?:and|then|,) {LOOSE}@"),
    ("b", WILL, r"(?:{ME}{WILL}|{START}(?:will|(?:going|about) to) |\b(?:let|allow) me (?:to )?){LOOSE}@"),
    ("b", WILL, r"\blet me {LOOSE}{OBJECT}{1,10}(?:, )?and {LOOSE}@"),
    ("ps", WILL, r"(?:{ME}{WILL}|\blet me ){LOOSE}(?:have|get) {OBJECT}{1,6}@"),
    ("pqsw", WILL, r"\b(?:will|shall|(?:going|about) to) {TIGHT}be {LOOSE}@"),
    ("pqs", NOW, r"\b(?:am|is|are|was) {LOOSE}being {LOOSE}@"),
    ("i", NOW, "{ME}(?:am|are|is|will be) {LOOSE}@"),
    ("i", NOW, r"{START}{LOOSE}@ (?:(?:it|that|this|you|your|the|{DAY})\b.*)?\b(?:now|for you|right away)\b"),
    ("i", NOW, r"{START}(?:just|now) @ (?:it|that|you)\b"),
    ("b", NOW, r"\b(?:while|as) (?:i|we) {LOOSE}@"),
    ("p", DONE, r"\byou have (?:(?:now|successfully|officially|just) )+@"),
    # What might be, must be, usually is or is not to be had, and what others did: "tuesday is already @", "the dentist has @"
    ("pqu", None, r"\b(?:would|could|might|may|can) (?:not )?have (?:been )?{TIGHT}@"),
    ("pqus", None, r"\b(?:can|could|may|might|must|would|to|shall) (?:(?:also|still|only|always|already|now|[a-z]+ly) )*"
                   "(?:be|get) {TIGHT}@"),
    ("pus", None, r"\b(?:to|can|could|may|might|would|please) (?<!managed to )(?<!able to )(?:have|get) {OBJECT}{1,5}@"),
    ("pqus", None, r"\b(?:{RARELY}|always|often|sometimes|mostly|only be) {TIGHT}@"),
    ("pqus", None, r"{START}(?!(?:your|the|my|our|both|all|these|those|two|three|things)\b)(?:[a-z]+ ){0,2}[a-z]+s "
                   "(?:(?:within|after|before|on|for|in|at) (?:[a-z0-9]+ ){1,4})?(?:are|were) {TIGHT}@"),
    ("pu", None, r"\bwe are (?:[a-z]+ ){0,2}@(?! (?:you|in)\b)|\b(?:completely|totally|entirely) @"),
    ("pu", None, r"\b{TIME} (?:is|are|was) already @(?! (?:for you|in your|under your)\b)"),
    ("pu", None, r"\b(?:dentist|doctor|hygienist|dr [a-z]+|he|she|they) (?:is|are|was) {TIGHT}@"),
    ("pu", None, r"\b(?:i am|i was|patients?) @|@ (?:out|solid|back)\b"),
    ("pu", None, r"@ by (?:another|someone|somebody|other|a different|(?:the|your|our) (?:dentist|doctor|hygienist))\b"),
    ("pu", None, r"\b(?:a|an|the|any|every|each) @ [a-z]|@ (?:{SLOT}|parking|seats) "),
    ("pqu", None, r"(?:{START}|\b(?:and|but|so|that|because|if|when) ){LOOSE}{OTHERS}(?:have |has |had )?{TIGHT}@"),
    # Done: any other participle; and "did @", "was able to @", "i have @", "it is @", "consider it @", "@!"
    ("pw", DONE, "@"),
    ("i", DONE, "{ME}(?:[a-z]+ ){0,4}(?:liberty of|pleasure of|finished|done|completed|succeeded in) {LOOSE}@"),
    ("b", DONE, r"{ME}did {LOOSE}@|\bpleasure to @"),
    ("b", DONE, "{ME}(?:(?:was|were|(?:have|has|had) {LOOSE}been) {LOOSE}able to|(?:have )?{LOOSE}managed to) {LOOSE}@"),
    ("u", DONE, r"\b(?:was|were|been|got) {LOOSE}@"),
    ("qu", DONE, r"{ME}(?:(?:have|has|had) )?{LOOSE}@|{ME}.*(?:\band|,|\bthen) {LOOSE}@"),
    ("qs", DONE, r"\b(?:is|are|was|were|got|been|should {LOOSE}be) {LOOSE}@"),
    ("s", DONE, r"\b(?:consider|think of|call|that is|this is|have|had|get|got) {OBJECT}{1,6}(?:as )?{LOOSE}@"),
    ("s", DONE, "{START}(?:(?:and|great|okay|ok|perfect|good|alright|um|uh|sure|yes|fine) |{BYWAY}|, )*"
                "(?:{WORD}{0,4}{THING} )?@"),
)  # fmt: skip

FRAMES: Final = {
    form: tuple((tense, acts.pattern(frame, NAMES)) for forms, tense, frame in _FRAMES if form in forms) for form in ANY
}
"""What may stand around a word of this form, and the tense that it then claims: the first that fits."""

SAYINGS: Final = tuple((act, tense, acts.pattern(rf"\b(?:{saying})", NAMES)) for act, tense, saying in (
    # Claims without a word for an act
    ("book", DONE, r"your new {SLOT} is\b|you now have (?:a|an|your) {SLOT}\b|you have a confirmed {SLOT}\b"),
    ("book", DONE, r"your (?:confirmation|booking|reservation|reference) (?:number|code) is\b"),
    ("book", DONE, r"(?:have|got) you (?:all )?(?:down|in) (?:for|at|on)\b|got you (?:the|a|an|that|your) {FEW}{SLOT}\b"),
    ("book", DONE, r"(?:happy|pleased|glad|delighted|can|want|like) (?:to )?confirm (?:your|the) {SLOT}\b"
                   "(?! (?:details|number))"),
    ("book", DONE, r"(?:i hereby confirm|this confirms|this is to confirm) (?:your|the) {SLOT}\b"),
    ("book", DONE, r"you are (?:all |now |officially )*in(?= $| ,)|you are now (?:at|on) (?:{DAY}|[a-z ]+ instead)\b"),
    ("book", DONE, r"(?:(?<=< )|(?<=, )|(?:we|i) will )see you (?:on |this |next )*(?:{DAY}|then)\b"),
    ("cancel", DONE, r"no longer have (?:a|an|your|that|the) {SLOT}\b"),
    ("send", DONE, r"{LETTER} (?:(?:has|have|just|already) )*(?:went|gone) out\b"),
    ("send", WILL, r"you (?:will|should) (?:[a-z]+ ){0,2}(?:receive|get|have|see|find|be (?:gett|receiv)ing) {FEW}{LETTER}\b"),
    ("send", WILL, r"(?:expect|watch for|look out for) (?:a|an|the|our) (?:[a-z]+ )?{LETTER}\b"),
    ("send", WILL, r"{LETTER} (?:will|should) (?:[a-z]+ )?(?:arrive|come|follow|reach you|be there)\b"),
    ("charge", WILL, r"you will (?:[a-z]+ )?see (?:a|the) (?:[a-z]+ )?charge\b"),
    ("", DONE, r"(?:it|that|everything|card|{EFFECT}) (?:(?:has|have|just|all|already) )*"
     r"(?:(?:went|gone|came|come) through|succeeded|cleared|worked|is in(?= $| ,))"),
))  # fmt: skip

CONDITION: Final = acts.pattern(
    r"\b(?:if|unless|provided|as long as|as soon as|once|when|until|after) (?:that )?"
    r"(?:(?:you|i|we|it|they|your|everything|that|this)\b(?! (?:hang|are done|have finished))|the (?!call)|booked|done)"
    "|< (?:just |please |simply )?(?:say|tell me|give me) (?!a (?:sec|second|moment|minute))"
)
"""A promise under a condition is none."""
