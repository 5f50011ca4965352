"""Everyday English around a request. The grammar puts it into the recognizer's ears, the rule-based thinker takes it off again.

Spelled as in a dictionary, apostrophes included; compare after `agentd.turn.words.normalise`.
"""

from __future__ import annotations

LEADS = (
    "i would like to", "i'd like to", "i want to", "i need to", "can i", "could i", "may i", "can you tell me",
    "could you tell me", "do you know", "please",
)  # fmt: skip
"""Before a request."""

PLEAS = ("can you", "could you", "will you", "would you")
"""Before one too; a small recognizer does not listen for them, since it would take noise for them."""

TAILS = ("please", "thank you", "thanks")
"""Behind one."""

CORRECTIONS = (
    "actually", "no actually", "i meant", "no i meant", "i mean", "no i mean", "sorry i meant", "make that", "make it",
    "no make it",
    "rather", "no sorry", "sorry", "no", "not that", "wait",
)  # fmt: skip
"""Before a value that replaces the one said before."""

SHORT = (
    "yes", "yeah", "yes please", "no", "no thank you", "no thanks", "not really", "okay", "right", "sure", "correct",
    "that's right", "that is right", "sounds good", "uh huh", "mhm", "i see", "great", "stop", "wait", "hello", "hold on",
    "hang on", "sorry", "pardon", "excuse me", "um", "uh",
)  # fmt: skip
"""What a small recognizer listens for everywhere, out of `agentd.turn.words`: with each more, more noise is taken for words."""

REPEATS = (
    "can you repeat that", "sorry can you repeat that", "could you repeat that", "please repeat that", "repeat that",
    "say that again",
    "can you say that again", "what was that", "what did you say", "what was the first part", "sorry what", "pardon",
    "pardon me", "sorry", "excuse me", "once more", "come again",
)  # fmt: skip
THANKS = (
    "thank you", "thanks", "thank you very much", "perfect", "perfect thanks", "perfect thank you", "great thanks",
    "great thank you",
    "okay thanks", "okay thank you", "wonderful", "lovely",
)  # fmt: skip
WAITS = ("wait", "stop", "hold on", "hang on", "one moment", "just a moment", "wait a moment", "one second", "hold on a second")
GREETINGS = ("hello", "hi", "good morning", "good afternoon", "good evening", "are you there")

UNDOING = ("cancel", "undo")
CHANGING = ("change", "move", "reschedule", "postpone")
"""Of what a flow's own phrases ask for, those that begin so are about what the caller has: to be rid of it, or to have it
otherwise."""

TAKE_BACKS = ("cancel", "cancel it", "cancel that", "undo it", "undo that", "take it back", "take that back", "call it off")
CHANGES = (
    "change it", "change that", "move it", "reschedule", "reschedule it", "another day", "another time", "a different day",
    "a different time",
)  # fmt: skip
"""The same, wherever something is done, or about to be."""

VERDICTS = ("that's perfect", "that's fine", "go ahead", "please do", "never mind", "forget it", "no don't", *TAKE_BACKS[1:3])
"""What else decides on what the caller is told or asked; `agentd.ledger.speech.words` knows many more."""

PICKS: dict[str, int] = {
    "the first one": 0, "the first": 0, "first one": 0, "number one": 0, "the earliest": 0, "the earlier one": 0,
    "any": 0, "either": 0,
    "the second one": 1, "the second": 1, "second one": 1, "number two": 1,
    "the third one": 2, "the third": 2, "third one": 2, "number three": 2,
    "the last one": -1, "the last": -1, "the latest": -1, "the later one": -1,
}  # fmt: skip
"""Choosing from what was offered, by place."""

NAME_LEADS = ("my name is", "my name's", "mynames", "my names", "the name is", "name is")
NAME_LEADS_ASKED = ("this is", "it is", "it's", "its", "i am", "i'm", "im", "call me", "that is", "that's", "thats", "yes")
NOT_NAMES = frozenset(
    {
        "a", "an", "and", "my", "the", "is", "number", "phone", "please", "thank", "thanks", "calling", "from", "i", "at", "on",
        "for", "to", "you", "your", "what", "who", "how", "can", "could", "no", "yes", "it", "about", "with", "want", "would",
        "need", "actually", "sorry", "wait", "stop", "hello", "okay", "not",
    }
)  # fmt: skip
"""A name ends before these."""

AFTER_NAMES = frozenset({"and", "please", "thank", "thanks", "calling", "from", "my", "here"})
"""What may follow a bare name."""

PHONE_LEADS = (
    "my number is", "my phone number is", "the number is", "you can reach me at", "call me at", "call me back on",
    "and my number is",
    "number is", "it is", "its", "on",
)  # fmt: skip
TEXT_LEAD = r"\b(?:please )?(?:tell (?:them|her|him) (?:that )?|the message is (?:that )?|just say (?:that )?)"

FIRST_NAMES = (
    "john", "mary", "james", "anna", "peter", "sarah", "michael", "emma", "david", "laura", "robert", "lisa", "thomas", "julia",
    "daniel", "susan", "paul", "karen", "mark", "linda", "george", "helen", "steven", "alice", "william", "jane",
    "richard", "kate",
)  # fmt: skip
LAST_NAMES = (
    "smith", "jones", "brown", "taylor", "wilson", "miller", "davis", "johnson", "williams", "martin", "clark", "walker",
    "young",
    "king", "wright", "hill", "green", "baker", "adams", "carter", "parker", "cooper", "morgan", "murphy", "kelly",
    "cook", "bell",
)  # fmt: skip
"""A small recognizer knows no open list of names: these stand in for all, and a hosted recognizer needs none."""
