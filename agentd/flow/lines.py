"""What a flow says where its author wrote nothing else."""

from __future__ import annotations

from typing import Final

DISCLOSURE: Final = "I am an AI assistant."
RECORDED: Final = "This call is recorded."
CONSENT: Final = "May I record this call?"

PROMPTS: Final = ("Are you still there?", "I am still here, and I cannot hear you.")
"""After a silence; the next one ends the call."""

MISHEARD: Final = (
    "Sorry, I didn't catch that.",
    "I am sorry, I still couldn't hear that well.",
    "The line is not good, I am afraid.",
)
UNMATCHED: Final = (
    "Sorry, I can help with {help}.",
    "I am afraid I did not understand. You can ask about {help}.",
    "I am sorry, I only know about {help}.",
)
APOLOGY: Final = "I am sorry, something went wrong on my side."
GOODBYE: Final = "Thank you for calling. Goodbye."

TOOL_FAILED: Final = "I am sorry, I cannot look that up at the moment."
WELCOME: Final = "You are welcome."
ANYTHING: Final = "What can I do for you?"
WAITING: Final = "Of course, take your time."
DID_YOU_SAY: Final = "Did you say: {words}?"
ONCE_MORE: Final = "Sorry. Could you say it once more?"
NOT_UNDERSTOOD: Final = "I am sorry, I did not get that."
NOT_NOW: Final = "I am afraid that is not possible just now."

ALL_RIGHT: Final = "All right."
CANNOT: Final = "I am sorry, I cannot do that at the moment."
SLOW: Final = "That takes longer than it should. I will tell you as soon as it is done."
UNKNOWN: Final = "I do not know whether that has worked. Somebody will look into it."

KEEP: Final = "Shall I keep"
RISK: Final = "What you have may be lost by that. Shall I give it up for"
AGAIN: Final = "You have that already. Shall I do it once more"
UNTELL: Final = "I am sorry, that did not work out"
UNDONE: Final = "I have taken that back"
NOT_UNDONE: Final = "I am sorry, I could not take that back"
"""What is said of an effect by default; its values follow."""

FILLERS: Final = ("One moment, please.", "Just a moment more.")
DRAIN: Final = "I am sorry, I have to end this call now. Please call again in a moment."
TOO_LONG: Final = "I am afraid we have to stop here. Please call again if there is anything else."
