"""The rules of the ledger: `step(book, event) → (book, actions)`. Pure: no store, no clock, no request.

Theory of operation
===================

A tool call opens a row. The world's side of it, `fact`, is driven towards `verdict` by one loop, `_drive`: it looks at every
row after every event and sends what is due, so that live and after a crash the same code decides. The caller's side gives the
verdict: a telling is begun (on record before its first frame leaves), its telling point is played, and a guard later, if
nobody spoke, the row is kept. Whoever speaks freezes all verdicts; the words of the finished turn decide.

The caller of `step` writes the rows that changed, and only then carries out the actions: an action never runs ahead of the
record. If the write fails, the step has not happened.

Numbers in the text are those of the specification's rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agentd import limits
from agentd.ledger.book import CUTS, QUESTIONS, Book, Telling, dependents, lost, owed, protector, ready, undoing, unresolved
from agentd.ledger.draft import Draft
from agentd.ledger.events import (
    Action,
    Answer,
    Answered,
    Ask,
    Begin,
    Clock,
    Cut,
    Done,
    Due,
    Ended,
    Entered,
    Event,
    Found,
    No,
    NotSent,
    Played,
    Proposed,
    Rejected,
    Release,
    Resolved,
    Retracted,
    Retried,
    Says,
    Send,
    Suspected,
    TakenBack,
    Void,
    Words,
)
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told, Traits, Verdict, Why
from agentd.messages import Mode

ASK_MARGIN_S: Final = 35.0
"""A question, its answer and ten seconds: with less left of a hold it is not asked any more."""

FREEZE_S: Final = 3.0
"""Speech without words freezes the verdicts for so long."""

TRIES: Final = 6
"""Attempts at one request before a human is called."""

ARROWS: Final = {Ask.DO: Fact.SENT, Ask.ACT: Fact.SENT, Ask.CONFIRM: Fact.CONFIRMING, Ask.UNDO: Fact.UNDOING}


def step(book: Book, event: Event) -> tuple[Book, tuple[Action, ...]]:
    """What follows from `event`: the book from then on, and what to do once its rows are on record."""
    draft = Rules(book)
    draft.take(event)
    return draft.finish()


def recover(book: Book, now: float) -> tuple[Book, tuple[Action, ...]]:
    """What follows from the death of a call's owner: rule 16 for what was open, rule 14 for what was in flight.

    `now` is in epoch seconds: a hold may end by itself.
    """
    draft = Rules(replace(book, over=True, frozen=False, tellings=(), armed=frozenset()))
    for row in book.rows:
        if row.expires and row.fact in {Fact.THERE, Fact.UNDOING}:
            draft.arm(Clock.EXPIRES, row.id, max(0.0, row.expires - now))
        if row.in_flight and not row.stuck:
            draft.unknown(row)
    return draft.finish()


class Rules(Draft):
    """One step: a book in the making."""

    def take(self, event: Event) -> None:
        """What the event itself changes."""
        match event:
            case Proposed():
                self._propose(event)
            case TakenBack():
                self._take_back(event)
            case Answered(name, ask, answer):
                if row := self.book.row(name):
                    self._answered(row, ask, answer)
            case Begin():
                self._begin(event)
            case Played():
                self._played(event)
            case Cut():
                self._cut(event)
            case Suspected():
                self._freeze()
            case Rejected():
                self._thaw()
            case Words():
                self._hear(event)
            case Retracted(name):
                if row := self.book.row(name):
                    self._drop(row, Why.RETRACTED, aware=True)
            case Entered(tools):
                for row in self.book.rows:
                    if row.open and row.kind in SPOKEN and row.tool not in tools:
                        self._drop(row, Why.LEFT)
            case Ended():
                self.set(over=True, frozen=False, tellings=())
            case Retried(name) | Resolved(name):
                if row := self.book.row(name):
                    self._mend(row, event)
            case Due(clock, name):
                self.set(armed=self.book.armed - {(clock, name)})
                self._due(clock, name)

    def finish(self) -> tuple[Book, tuple[Action, ...]]:
        """Drive every fact towards its verdict until nothing is due."""
        before = None
        while before != self.book:
            before = self.book
            if self.book.over:
                self._close()
            for row in self.book.rows:
                self._drive(row.id)
            if self.book.over:
                self._owe_notices()
        return self.book, tuple(self.actions)

    # ── Opening a row: rules 13, 7, 10, 12 ───────────────────────────────────────────────────────────────────────────

    def _propose(self, new: Proposed) -> None:
        same = [row for row in self.book.rows if row.tool == new.tool and row.identity == new.identity and row.kind is new.kind]
        if self.book.over or len(self.book.rows) >= limits.EFFECTS:
            self.tell(new.use, "", "refused", "no more effects in this call")
            return
        risky = False
        if same and not new.replaces and not same[-1].taken_back:
            last = same[-1]
            if last.stuck or (last.in_flight and last.tries > 1):
                self.tell(new.use, last.id, "unknown", "its outcome is not known; do not retry")
                return
            if last.open:
                self.tell(new.use, last.id, "waiting", "already under way; do not call it again")
                return
            if last.kept and not last.failed:
                if new.traits.repeat == "replay":
                    self.tell(new.use, last.id, "done", "it was done before")
                    return
                risky = new.traits.repeat == "ask" and new.kind is not Kind.PIVOT and new.traits.keep_on != "yes"
        needs = [self._needed(tool) for tool in new.needs]
        if None in needs:
            self.tell(new.use, "", "refused", f"it needs {' and '.join(new.needs)} first")
            return
        old = self._replaced(new)
        if new.replaces and old is None:
            self.tell(new.use, "", "refused", "there is nothing that it could replace")
            return
        if old and (rival := unresolved(self.book, old)):
            self._drop(rival, Why.REVISED, aware=True)
        row = Row(
            new.id, self.book.call, len(self.book.rows), new.tool, new.kind, new.traits, new.args, new.identity, new.resource,
            tuple(need.id for need in needs if need), old.id if old else "", use=new.use, opened=new.at,
            risky=risky or bool(old and new.traits.old_first),
        )  # fmt: skip
        self.set(rows=(*self.book.rows, row))
        self.arm(Clock.OPEN, row.id, row.traits.open_for)
        if not row.before or row.risky:
            self.outcome(row.id, "waiting", "nothing is done before the caller has heard of it, or said yes")

    def _needed(self, tool: str) -> Row | None:
        found = [row for row in self.book.rows if row.tool == tool and row.kind in SPOKEN and row.kind is not Kind.TAKE_BACK]
        good = [row for row in found if not (row.dropped or row.stuck or row.taken_back or row.fact is Fact.ABSENT)]
        return good[-1] if good else None

    def _replaced(self, new: Proposed) -> Row | None:
        """The row that the new one revises: what was revised before leads to what took its place."""
        row: Row | None = self.book.row(new.replaces)
        while row and row.dropped and row.why == Why.REVISED:
            name = row.id
            row = next((other for other in reversed(self.book.rows) if other.replaces == name), None)
        if row is None or row.tool != new.tool or row.dropped or row.failed or row.stuck or row.taken_back:
            return None
        return row

    def _take_back(self, wish: TakenBack) -> None:
        row = self.book.row(wish.row)
        if row and row.open:
            self._drop(row, Why.RETRACTED, aware=True)
            self.tell(wish.use, row.id, "done", "let go")
        elif row is None or not (row.done and row.traits.undo) or undoing(self.book, row):
            self.tell(wish.use, wish.row, "refused", "it cannot be taken back")
        else:
            self._open_take_back(row, wish.id, wish.use, wish.at)

    def _open_take_back(self, row: Row, name: str, use: str, at: float) -> None:
        self.set(
            rows=(
                *self.book.rows,
                Row(
                    name, row.call, len(self.book.rows), row.tool, Kind.TAKE_BACK, row.traits, row.args, resource=row.resource,
                    of=row.id, use=use, verdict=Verdict.KEEP, why=Why.YES, result=row.result, opened=at,
                ),
            )
        )  # fmt: skip

    # ── The loop: what a row still needs from the world ──────────────────────────────────────────────────────────────

    def _drive(self, name: str) -> None:
        row = self.get(name)
        if row.stuck or row.in_flight:
            return
        if row.open and row.stale and not self.being_told(row) and not unresolved(self.book, row):
            self._refresh(row)
        elif row.fact is Fact.UNSENT:
            self._drive_unsent(row)
        elif row.fact is Fact.THERE and row.kept and row.kind is Kind.HELD:
            self._send(row, Ask.CONFIRM)
        elif row.fact is Fact.THERE and row.dropped:
            self._send(row, Ask.UNDO)
        elif row.done and row.replaces and (old := self.book.row(row.replaces)) and old.done and not undoing(self.book, old):
            self._open_take_back(old, f"{row.id}.old", "", row.opened)  # 12: revising what was kept

    def _drive_unsent(self, row: Row) -> None:
        if row.dropped:
            self.put(row, fact=Fact.ABSENT)
        elif row.before:
            if row.open and self._may_act(row):
                self._send(row, Ask.DO)
        elif lost(self.book, row):
            if row.open:
                self._drop(row, Why.NEED)
            else:
                self._refused(row, "what it needs is gone")  # 7, 8
        elif row.kept and ready(self.book, row) and not (self.book.frozen and row.kind in SPOKEN):  # 9: the outbox holds
            self._send(row, Ask.ACT)

    def _may_act(self, row: Row) -> bool:
        """A row that acts at once waits for what must go first: a yes to the risk, the old one, the same act's undoing."""
        if row.risky and not row.risked:
            return False
        old = self.book.row(row.replaces)
        if old and row.traits.old_first and old.dropped and not old.settled:
            return False
        earlier = (other for other in self.book.rows if other.seq < row.seq and other.tool == row.tool)
        return all(
            other.settled or other.stuck for other in earlier if other.dropped and other.identity == row.identity
        )  # 13: dropping → wait

    def _refresh(self, row: Row) -> None:
        """6: a hold with too little time left is prepared again, once."""
        if row.refreshed:
            self._drop(row, Why.EXPIRED)
            return
        fresh = replace(
            row, id=f"{row.id}.r", seq=len(self.book.rows), replaces=row.id, fact=Fact.UNSENT, stale=False, refreshed=True,
            sends=0, tries=0, result="", expires=0.0, use="",
        )  # fmt: skip
        self.set(rows=(*self.book.rows, fresh))
        self.arm(Clock.OPEN, fresh.id, fresh.traits.open_for)

    def _send(self, row: Row, ask: Ask) -> None:
        """The arrow is on record before the request leaves."""
        fact = ARROWS[ask]
        again = row.fact is fact
        self.put(row, fact=fact, sends=(row.sends if again else 0) + 1, tries=(row.tries if again else 0) + 1)
        self.actions.append(Send(row.id, ask))

    # ── What the world answers ───────────────────────────────────────────────────────────────────────────────────────

    def _answered(self, row: Row, ask: Ask, answer: Answer) -> None:
        if row.stuck or not row.in_flight or (ask is not Ask.STATUS and ARROWS[ask] is not row.fact):
            return
        if ask is Ask.STATUS:
            self._found(row, answer)
            return
        match answer:
            case Done():
                self._succeeded(row, answer)
            case No(why) if row.sends <= 1 or row.traits.stores_refusals:
                self._refused(row, why)
            case NotSent(why):
                self._not_sent(row, why)
            case _:
                self.unknown(row, getattr(answer, "why", ""))

    def _succeeded(self, row: Row, answer: Done) -> None:
        match row.fact:
            case Fact.UNDOING:
                self.put(row, fact=Fact.ABSENT, sends=0, tries=0)
                self.fail_use(row)
            case Fact.CONFIRMING:
                self.put(row, fact=Fact.CONFIRMED, sends=0, tries=0, result=answer.result or row.result)
            case _:
                expires = answer.expires if row.kind is Kind.HELD else 0.0
                row = self.put(row, fact=Fact.THERE, sends=0, tries=0, result=answer.result, expires=expires)
                if row.kind is Kind.HELD and answer.lasts:
                    self.arm(Clock.EXPIRES, row.id, answer.lasts)
                    self.arm(Clock.STALE, row.id, max(0.0, answer.lasts - ASK_MARGIN_S))
                self._got(row)

    def _got(self, row: Row) -> None:
        """The world has it: what it revises, takes along or undoes follows in the same sync."""
        self.disarm(Clock.RETRY, row.id)
        if row.dropped:
            return
        if (old := self.book.row(row.replaces)) and old.open:  # 10: get the new, then drop the old
            self._drop(old, Why.REVISED, aware=True)
            row = self.put(row, told=row.told if old.told is Told.NO else _inherited(old))
        if row.kind is Kind.PIVOT:
            for need in filter(None, map(self.book.row, row.needs)):
                self._keep(need, Why.PIVOT)  # 7
        if row.kind is Kind.TAKE_BACK and (target := self.book.row(row.of)):
            self.put(target, taken_back=True, aware=True)
        self.outcome(row.id, "done", "")

    def _refused(self, row: Row, why: str) -> None:
        """A definite no. Of an undo it is none: then a human must look, unless the hold ends by itself."""
        if row.fact is Fact.UNDOING:
            if row.expires and (Clock.EXPIRES, row.id) in self.book.armed:
                return  # the TTL is the backstop
            self._stick(row, why)
            return
        row = self.put(row, fact=Fact.ABSENT, error=why)
        self.disarm(Clock.RETRY, row.id)
        self.outcome(row.id, "refused", why)
        if row.open:
            self._drop(row, Why.REFUSED)
        elif row.kind is Kind.PIVOT:
            for need in filter(None, map(self.book.row, row.needs)):
                self._drop(need, Why.NEED)  # 7: refused → dropped

    def _not_sent(self, row: Row, why: str) -> None:
        if row.sends > 1:
            self.unknown(self.put(row, sends=row.sends - 1), why)
        elif row.fact is Fact.SENT and row.before:
            self._refused(row, why or "busy")
        elif row.tries >= TRIES:
            self._stick(row, why)
        else:
            self.put(row, sends=0)
            self.arm(Clock.RETRY, row.id, _backoff(row))

    def unknown(self, row: Row, why: str = "") -> None:
        """14: resend the same key where it is honoured, else ask; who can do neither sticks."""
        if row.tries >= TRIES or self._again(row) is None:
            self._stick(row, why)
        else:
            self.put(row, error=why)
            self.arm(Clock.RETRY, row.id, 0.0 if self.book.over and row.tries <= 1 else _backoff(row))

    def _again(self, row: Row) -> Ask | None:
        """The request that may be sent after an unknown outcome."""
        traits = row.traits
        if row.fact is Fact.SENT and row.before and row.dropped and traits.tombstone:
            return Ask.UNDO
        if not row.sends or traits.honours_key or (row.fact is Fact.UNDOING and traits.tombstone):
            return next(ask for ask, fact in ARROWS.items() if fact is row.fact and (ask is not Ask.DO or row.before))
        return Ask.STATUS if traits.status else None

    def _retry(self, row: Row) -> None:
        ask = self._again(row)
        if row.stuck or not row.in_flight or ask is None:
            return
        if ask is Ask.STATUS:
            self.put(row, tries=row.tries + 1)
            self.actions.append(Send(row.id, ask))
        else:
            self._send(row, ask)

    def _found(self, row: Row, answer: Answer) -> None:
        """What `status` says is final only where nothing that was sent before can still arrive."""
        match row.fact, answer:
            case Fact.SENT, Found.THERE | Found.CONFIRMED:
                self._succeeded(row, Done(row.result))
            case Fact.SENT, Found.ABSENT if row.before and row.traits.tombstone:
                if row.open:
                    self._drop(row, Why.REFUSED)
                self._send(self.get(row.id), Ask.UNDO)
            case Fact.CONFIRMING, Found.CONFIRMED:
                self._succeeded(row, Done(row.result))
            case Fact.CONFIRMING, Found.ABSENT:
                self.put(row, sends=1)
                self._refused(self.get(row.id), "it is gone")
            case Fact.UNDOING, Found.ABSENT:
                self._succeeded(row, Done())
            case _, Found():
                self._stick(row, f"the remote says {answer}, which is not final")
            case _:
                self.unknown(row, getattr(answer, "why", ""))

    def _stick(self, row: Row, why: str) -> None:
        """Never closed silently: a human is told; a pivot takes its needs with it."""
        row = self.put(row, stuck=True, error=why)
        self.disarm(Clock.RETRY, row.id)
        self.outcome(row.id, "unknown", "its outcome is not known: say that a person will check")
        if row.kind is Kind.PIVOT:
            for need in filter(None, map(self.book.row, row.needs)):
                self.put(need, stuck=True, error="its pivot is stuck")

    # ── Tellings: rules 3, 4, 5, 15 ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, event: Begin) -> None:
        """Synced before its first frame leaves; what is not owed any more is not said."""
        row = self.book.row(event.row)
        if row is None or (event.row, event.mode) not in {(due.effect, due.mode) for due in owed(self.book)}:
            self.actions.append(Void(event.row, event.key))
            return
        told = {Mode.ASK: Told.ASKED, Mode.CHECK: Told.TELLING, Mode.TELL: Told.TELLING}.get(event.mode, row.told)
        if row.told is not Told.TOLD:
            self.put(row, told=told, checks=row.checks + (event.mode is Mode.CHECK))
        self.set(tellings=(*self.book.tellings, Telling(row.id, event.mode, event.key)))
        self.actions.append(Release(row.id, event.key))

    def _played(self, event: Played) -> None:
        telling = self.telling(event.key)
        row = self.book.row(event.row)
        if telling is None or row is None:
            return
        self.set(tellings=tuple(replace(t, played=event.pos) if t is telling else t for t in self.book.tellings))
        if telling.mode is Mode.UNTELL:
            self.put(row, aware=True)
        elif telling.mode is Mode.TELL and row.kept:
            self.put(row, told=Told.TOLD)
        elif telling.mode is Mode.TELL and not self.book.frozen:
            self.arm(Clock.GUARD, row.id, self.book.guard)

    def _cut(self, event: Cut) -> None:
        """15: CLEARED or LOST is doubt: it stays open and is told again."""
        telling = self.telling(event.key)
        row = self.book.row(event.row)
        if telling is None or row is None or telling.played is not None:
            return
        self.set(tellings=tuple(t for t in self.book.tellings if t is not telling))
        self._unheard(row)

    def _unheard(self, row: Row) -> None:
        """A telling came to nothing; after two of them we ask, and after two such questions let go."""
        row = self.put(self.get(row.id), cuts=row.cuts + 1)
        if row.open and row.checks >= CUTS:
            self._drop(row, Why.UNHEARD)

    def _freeze(self) -> None:
        """9: marks are recorded, nothing is kept, the outbox holds."""
        self.set(frozen=True)
        for clock, name in sorted(self.book.armed):
            if clock is Clock.GUARD:
                self.disarm(clock, name)
        self.arm(Clock.FREEZE, "", FREEZE_S)

    def _thaw(self) -> None:
        """Each telling that was played falls due as if it had been played now."""
        self.set(frozen=False)
        self.disarm(Clock.FREEZE, "")
        for telling in self.book.tellings:
            row = self.get(telling.row)
            if telling.mode is Mode.TELL and telling.played is not None and row.open:
                self.arm(Clock.GUARD, row.id, self.book.guard)

    # ── The caller's words: rules 5, 10 ──────────────────────────────────────────────────────────────────────────────

    def _hear(self, words: Words) -> None:
        heard = [t for t in self.book.tellings if t.played is not None and words.onset >= t.played]
        question = next((t for t in reversed(heard) if t.mode in QUESTIONS), None)
        told = [t for t in heard if t.mode is Mode.TELL and self.get(t.row).open]
        tellings = self.book.tellings
        self.set(tellings=(), frozen=False)
        self.disarm(Clock.FREEZE, "")
        for telling in tellings:
            self.disarm(Clock.GUARD, telling.row)
        match words.says:
            case Says.RETRACT:
                for row in self.book.rows:
                    if row.kind in SPOKEN:
                        self._drop(row, Why.RETRACTED, aware=True)
            case Says.NO if question:
                self._drop(self.get(question.row), Why.REFUSED_BY_CALLER, aware=True)
            case Says.ASSENT:
                for telling in told:
                    self._keep(self.get(telling.row), Why.ASSENT, told=Told.TOLD)
                if question:
                    self._yes(self.get(question.row), question.mode)
            case _ if question and question.mode is Mode.CHECK:
                self._drop(self.get(question.row), Why.UNHEARD)
        for telling in tellings:
            row = self.get(telling.row)
            if row.open and telling.mode not in {Mode.UNTELL, Mode.RISK} and telling is not question:
                self._unheard(row)

    def _yes(self, row: Row, mode: Mode) -> None:
        """A bound yes: to this row, with these arguments, to this question."""
        if not row.open:
            return
        if mode is Mode.RISK:
            row = self.put(row, risked=True)
            if (old := self.book.row(row.replaces)) and row.traits.old_first:
                self._drop(old, Why.REVISED, aware=True)
        else:
            self._keep(row, Why.YES, told=Told.TOLD if mode is Mode.CHECK else row.told)

    # ── Verdicts: given once ─────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, row: Row, why: Why, told: Told | None = None) -> None:
        if not row.open:
            return
        rival = unresolved(self.book, row)
        if rival:
            self._drop(rival, Why.KEPT_OTHER, aware=True)
        self.put(self.get(row.id), verdict=Verdict.KEEP, why=why, told=told or row.told)
        self.forget_clocks(row)

    def _drop(self, row: Row, why: Why, *, aware: bool = False) -> None:
        """With every open row that needs it, in one sync; what a pivot has taken with it waits for the pivot."""
        row = self.get(row.id)
        if not row.open or protector(self.book, row):
            return
        self.put(row, verdict=Verdict.DROP, why=why, aware=row.aware or aware)
        self.forget_clocks(row)
        self.set(tellings=tuple(t for t in self.book.tellings if t.row != row.id))
        for other in tuple(dependents(self.book, row)):
            self._drop(other, Why.NEED, aware=aware)
        if not row.in_flight:
            self.fail_use(self.get(row.id))

    def _close(self) -> None:
        """16: the call is over, or its owner dead; in the order of `needs`, which is that of the rows."""
        for name in [row.id for row in self.book.rows]:
            row = self.get(name)
            if not row.open or row.kind not in SPOKEN:
                continue
            if row.told not in {Told.TELLING, Told.TOLD}:
                self._drop(row, Why.ENDED)
            elif row.traits.on_doubt == "keep" and self._needs_kept(row) and not protector(self.book, row):
                self._keep(row, Why.DOUBT)
            else:
                self._drop(row, Why.DOUBT)

    def _needs_kept(self, row: Row) -> bool:
        return all(need.kept and not need.failed for need in filter(None, map(self.book.row, row.needs)))

    def _owe_notices(self) -> None:
        """The caller must not be left believing what is not so, or not knowing what is."""
        for row in self.book.rows:
            if row.kind not in SPOKEN or row.noticed or row.open or undoing(self.book, row):
                continue
            untold = row.kept and row.told is not Told.TOLD
            misled = (row.dropped or row.failed) and row.told is not Told.NO and not row.aware
            if untold or misled or row.why == Why.DOUBT:
                self.put(row, noticed=True)
                notice = Row(
                    f"{row.id}.notice", row.call, len(self.book.rows), row.tool, Kind.NOTICE, _NOTICE, of=row.id,
                    verdict=Verdict.KEEP, why=Why.BORN, opened=row.opened,
                )  # fmt: skip
                self.set(rows=(*self.book.rows, notice))

    # ── Deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _due(self, clock: Clock, name: str) -> None:
        row = self.book.row(name)
        if clock is Clock.FREEZE:
            self._thaw()
        elif row is None:
            return
        elif clock is Clock.RETRY:
            self._retry(row)
        elif clock is Clock.GUARD:
            heard = any(t.row == name and t.played is not None and t.mode is Mode.TELL for t in self.book.tellings)
            if heard and row.open and not self.book.frozen and not unresolved(self.book, row):
                self._keep(row, Why.TOLD, told=Told.TOLD)
        elif clock is Clock.OPEN:
            self._drop(row, Why.LATE)
        elif clock is Clock.STALE and row.open:
            self.put(row, stale=True)
        elif clock is Clock.EXPIRES:
            self._expire(row)

    def _expire(self, row: Row) -> None:
        """The hold is gone by itself; kept and on its way, the confirmation's answer tells."""
        if row.fact is Fact.UNDOING:
            self._succeeded(row, Done())
        elif row.fact is Fact.THERE and row.open:
            self.put(row, fact=Fact.ABSENT)
            self._drop(row, Why.EXPIRED)

    # ── Operators ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _mend(self, row: Row, event: Retried | Resolved) -> None:
        """A human looked. What was dropped stays dropped: where the world still has it, it is undone once more."""
        if not row.stuck:
            return
        row = self.put(row, stuck=False, tries=0)
        if row.kind is Kind.PIVOT:
            for need in filter(None, map(self.book.row, row.needs)):
                self.put(need, stuck=False, tries=0)
        if isinstance(event, Retried):
            if row.in_flight and self._again(row) is not None:
                self._retry(row)
            elif row.in_flight:
                self._stick(row, "it cannot be tried again without doing it twice: look at the remote, and resolve it")
        elif not event.has:
            row = self.put(row, sends=1, error=event.why)
            if row.fact is Fact.UNDOING:
                self._succeeded(row, Done())
            elif row.in_flight:
                self._refused(row, event.why)
        elif row.fact is Fact.UNDOING:
            self.put(row, fact=Fact.THERE, sends=0)
        elif row.in_flight:
            self._succeeded(row, Done(row.result))


def _inherited(old: Row) -> Told:
    """10: the new one inherits how far the caller knows: of the old one that is, so that at most a telling has begun."""
    return Told.TELLING if old.told is Told.TOLD else old.told


def _backoff(row: Row) -> float:
    return float(min(0.5 * 2 ** max(0, row.tries - 1), 30.0))


_NOTICE: Final = Traits(honours_key=True)
"""Notices leave by our own outbox, to receivers that drop a key that they have seen."""
