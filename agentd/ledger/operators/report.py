"""An incident in words, for operators: for each effect what was heard, what happened, what is owed, and who moves next."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from agentd.ledger.book import Book, blocked, misled, needed, protector, undoing
from agentd.ledger.events import Event, Retried
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told, Why
from agentd.ledger.rules import step, tries_of
from agentd.ledger.storage.codec import Case

_HAPPENED: Final = {
    Fact.UNSENT: "nothing was sent",
    Fact.SENT: "it was sent",
    Fact.THERE: "the remote has it",
    Fact.CONFIRMING: "the remote holds it, and its confirmation was sent",
    Fact.CONFIRMED: "the remote has it, confirmed",
    Fact.UNDOING: "its undo was sent",
    Fact.ABSENT: "the remote does not have it",
}


def clock(at: float) -> str:
    """Epoch seconds as local time."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def age(seconds: float) -> str:
    """A time that has passed, in its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


class Incident:
    """A call with its effects, read as one."""

    def __init__(self, case: Case) -> None:
        self.call, self.rows = case.call, case.rows
        self._book = Book(case.call.id, case.rows, over=True)

    @property
    def stuck(self) -> bool:
        """Whether a human must look."""
        return any(row.stuck for row in self.rows)

    @property
    def head(self) -> str:
        """The call in a line."""
        over = "over" if self.call.ended else "not over, or cut and not taken over yet"
        return f"{self.call.id}  {self.call.flow}, {clock(self.call.started)}, {over}"

    def state(self, row: Row) -> str:
        """Where a row stands, in a word or two."""
        if row.stuck:
            return "STUCK"
        if row.kind not in SPOKEN:
            return "sent" if row.done else "failed" if row.failed else "being sent" if row.in_flight else "not sent"
        if row.open:
            return "open"
        if row.dropped:
            return "let go" if row.settled else "letting go"
        if row.failed:
            return "failed"
        if undoing(self._book, row):
            return "taken back"
        return "done" if row.done else "keeping"

    def heard(self, row: Row) -> str:
        """What the caller knows of it; "" of what no caller is told of."""
        if row.kind not in SPOKEN:
            return ""
        words = {
            Told.NO: "nothing",
            Told.ASKED: "the question, and the caller said yes" if row.why == Why.YES else "the question; no yes was heard",
            Told.TELLING: "its telling had begun; more is not known",
            Told.TOLD: "that it is so",
        }[row.told]
        if row.told is Told.TOLD and row.why in {Why.YES, Why.ASSENT}:
            words += ", and the caller agreed"
        cut = f"; cut {row.cuts} time{'s' * (row.cuts > 1)}" if row.cuts else ""
        return f"{words}{cut}{'; the caller knows that it is let go' if row.aware and row.dropped else ''}"

    def happened(self, row: Row) -> str:
        """What was decided, and what the world has of it as far as we know."""
        decided = "" if row.open or row.kind not in SPOKEN else f"{'kept' if row.kept else 'let go'} ({row.why}): "
        words = _HAPPENED[row.fact]
        if row.in_flight:
            tries = f" in {row.tries} tries" if row.tries > 1 else ""
            if not row.stuck and not tries:
                words += "; its answer is awaited"
            else:
                words += f", and no answer tells what became of that{tries}" if row.sends else f", without success{tries}"
        elif row.fact is Fact.THERE and row.kind is Kind.HELD and row.expires:
            words += f" until {clock(row.expires)}"
        return f"{decided}{words}{f' ({row.error})' if row.error else ''}"

    def owed(self, row: Row) -> str:
        """What the caller must still be told; "" as of `heard`."""
        if row.kind not in SPOKEN:
            return ""
        notice = next((other for other in self.rows if other.kind is Kind.NOTICE and other.of == row.id), None)
        if notice is not None:
            sent = "was sent" if notice.done else "failed for good" if notice.failed else "is not sent yet"
            return f"a notice: it {'is stuck' if notice.stuck else sent}"
        return "to hear that it is not so" if row.settled and misled(row) else "nothing"

    def next(self, row: Row) -> str:
        """Who moves next, and when."""
        if row.stuck:
            return self._human(row)
        if row.settled:
            return "nothing"
        if blocked(self._book, row):
            return f"it waits for what is stuck: {' and '.join(self._causes(row, stuck=True))}"
        if row.in_flight:
            return f"try {row.tries + 1} of {tries_of(row)}, within half a minute" if row.tries > 1 else "its answer"
        if row.open:
            return "the caller's words" if not self.call.ended else "a verdict, at once"
        waits = self._causes(row, stuck=False)
        return f"it is sent when {' and '.join(waits)} is settled" if waits else "it is sent at once"

    def _human(self, row: Row) -> str:
        pivot = protector(self._book, row)
        if pivot is not None:
            return f"it goes with {pivot.tool}, as one incident"
        if self.after(Retried(row.id)).row(row.id).stuck:
            return "a human: look at the remote, then resolve it"
        return "a human: retry it, or look at the remote and resolve it"

    def _causes(self, row: Row, *, stuck: bool) -> list[str]:
        """The tools of what a row waits for."""
        match row.kind:
            case Kind.NOTICE:
                causes = [other for other in self.rows if other.id == row.of]
            case Kind.WEBHOOK:
                causes = [other for other in self.rows if other.kind in SPOKEN]
            case _:
                causes = [*needed(self._book, row), *(pivot for pivot in [protector(self._book, row)] if pivot)]
        return [other.tool for other in causes if not other.settled and other.stuck is stuck] or ["another effect"]

    def after(self, event: Event) -> Incident:
        """The incident as it would be after an event: the rules are asked, and nothing is done."""
        return Incident(Case(self.call, step(self._book, event)[0].rows))

    def row(self, name: str) -> Row:
        """The row of that id."""
        return next(row for row in self.rows if row.id == name)

    def pivot(self, row: Row) -> Row | None:
        """The pivot with which a row is one incident, until that is answered."""
        return protector(self._book, row)

    def as_dict(self, *, revealed: bool) -> dict[str, Any]:
        """The incident for machines. Times are epoch seconds, 0.0 for none."""
        call = {"call": self.call.id, "flow": self.call.flow, "started": self.call.started, "ended": self.call.ended}
        if revealed:
            call |= {"caller": self.call.caller, "called": self.call.called}
        return {**call, "stuck": self.stuck, "effects": [self._row_as_dict(row, revealed=revealed) for row in self.rows]}

    def _row_as_dict(self, row: Row, *, revealed: bool) -> dict[str, Any]:
        columns = (
            "id",
            "tool",
            "kind",
            "fact",
            "verdict",
            "told",
            "stuck",
            "why",
            "error",
            "cuts",
            "tries",
            "opened",
            "expires",
        )
        names = (*columns, "needs", "replaces", "of", *(("args", "result") if revealed else ()))
        told = {"state": self.state(row), "heard": self.heard(row), "happened": self.happened(row), "owed": self.owed(row)}
        return {name: getattr(row, name) for name in names} | told | {"next": self.next(row)}
