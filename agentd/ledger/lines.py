"""What the thinker is told of each effect: one line, made by the machine, to be believed and not inferred."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from agentd.ledger.book import Book, undoing
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told, Why
from agentd.messages import Effect

Label = Callable[[Row], str]
"""An effect in a few words: its tool and the values that the caller knows it by."""

CAUSES: Final = {
    Why.RETRACTED: "because the caller took it back",
    Why.REFUSED_BY_CALLER: "because the caller said no",
    Why.REVISED: "because something else took its place",
    Why.KEPT_OTHER: "because the caller kept the earlier one",
    Why.NEED: "because what it needs is gone",
    Why.LEFT: "because the conversation went on without it",
    Why.LATE: "because it waited too long for an answer",
    Why.EXPIRED: "because the hold ended",
    Why.UNHEARD: "because the caller never agreed to keep it",
}


def effects(book: Book, label: Label) -> tuple[Effect, ...]:
    """Every effect that the caller may speak of, in their order."""
    return tuple(_effects(book, label))


def _effects(book: Book, label: Label) -> Iterator[Effect]:
    for row in book.rows:
        if row.kind in SPOKEN and not (row.refreshed and row.dropped):
            state, line = _line(book, row, label(row))
            yield Effect(row.id, row.tool, row.kind.value, _plain(row.args), _plain(row.result), state, line)


def _plain(text: str) -> Any:
    return json.loads(text) if text else None


def _line(book: Book, row: Row, what: str) -> tuple[str, str]:
    """Its state in a word, and the line."""
    if row.stuck or (row.in_flight and row.tries > 1):
        return "unknown", f"{what}: outcome unknown. Say that a person will check; never retry, never say done or failed."
    if row.open:
        return _open(row, what)
    if row.dropped:
        cause = CAUSES.get(Why(row.why), f"({row.error})" if row.error else "")
        if row.settled:
            return ("failed" if row.why == Why.REFUSED else "dropped"), f"{what}: not done, released {cause}".rstrip() + "."
        return "dropping", f"{what}: letting go of it; do not promise it."
    if undoing(book, row):
        return "taken_back", f"{what}: was done and is taken back."
    if row.failed:
        return "failed", f"{what}: failed for good ({row.error}). It is not done."
    if row.done:
        told = "done and heard" if row.told is Told.TOLD else "done, not yet heard: say it first, do not call again"
        return "kept", f"{what}: {told}; another one needs a new yes."
    if row.kind is Kind.PIVOT and row.fact is Fact.SENT:
        return "keeping", f"{what}: running, and cannot be stopped; say so."
    if row.kind is Kind.DEFERRED:
        return "keeping", f"{what}: will be sent. Use the future tense."
    return "keeping", f"{what}: the caller said yes; it is being done. Do not say that it is done."


def _open(row: Row, what: str) -> tuple[str, str]:
    if row.risky and not row.risked:
        return "asking", f"{what}: nothing is done yet: the caller is asked first."
    if row.fact in {Fact.UNSENT, Fact.SENT} and row.before:
        return "running", f"{what}: still running. Do not repeat it; other topics are fine."
    if row.kind is Kind.HELD and row.traits.keep_on == "yes":
        return "asking", f"{what}: HELD, not done: the caller is asked whether it shall be."
    if row.kind is Kind.PIVOT:
        return "asking", f"{what}: NOT done: the caller is asked, and only a clear yes does it."
    if row.kind is Kind.DEFERRED:
        return "waiting", f"{what}: will be sent once the caller has heard of it. Use the future tense."
    return "open", f"{what}: DONE, not yet heard: it is told first; do not call again."
