"""How a state listens: data, each figure with its reason. Times are seconds from the last voiced sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Listening:
    """When the caller's turn is over. A yes/no question that is asked overrides it, whatever the state."""

    complete: float = 0.3
    """The words make up a whole phrase of the flow: only breath is waited for."""

    unsure: float = 0.7
    """The words may go on: people pause up to half a second inside a sentence."""

    yes_no: float = 0.2
    """A yes or a no to a closed question; never on a partial, so "yes, but…" is still heard whole."""

    dictating: float = 1.2
    """Numbers and messages are said in groups, with pauses to remember in between."""

    dictation: bool = False
    closed: bool = False


OPEN: Final = Listening()
"""Requests and short answers."""

DICTATION: Final = Listening(dictation=True)
"""Long answers: a message, a number."""

YES_NO: Final = Listening(closed=True)
"""The state's own words ask for a yes or a no."""
