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
from agentd.ledger.book import (
    CUTS,
    QUESTIONS,
    Book,
    Telling,
    holds,
    latest,
    lineage,
    lost,
    may_act,
    misled,
    needed,
    owed,
    protector,
    ready,
    revised,
    same_act,
    undoing,
    unresolved,
)
from agentd.ledger.draft import ARROWS, Draft
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
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told, Verdict, Why
from agentd.messages import Mode

ASK_MARGIN_S: Final = 35.0
"""A question, its answer and ten seconds: with less left of a hold it is not asked any more."""

FREEZE_S: Final = 3.0
"""Speech without words freezes the verdicts for so long."""

TRIES: Final = 6
"""Attempts at one request before a human is called."""

OUTBOX_TRIES: Final = 60
"""The same of what only tells somebody: half an hour, in which a receiver is back from whatever it was at."""


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
            case Suspected() if not self.book.over:
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
                    if row.tool not in tools and not self.being_told(row):
                        self._drop(row, Why.LEFT)
            case Ended():
                self.set(over=True, frozen=False, tellings=())
                self.disarm(Clock.FREEZE, "")
            case Retried(name) | Resolved(name):
                if row := self.book.row(name):
                    self._mend(row, event)
            case Due(clock, name) if (clock, name) in self.book.armed:  # else it was forgotten, and passed on its way
                self.set(armed=self.book.armed - {(clock, name)})
                self._due(clock, name)

    def finish(self) -> tuple[Book, tuple[Action, ...]]:
        """Drive every fact towards its verdict until nothing is due."""
        before = None
        while before != self.book:
            before = self.book
            for row in self.book.rows:
                if self.book.over:
                    self._close(row.id)
                self._drive(row.id)
            if self.book.over:
                self._owe_notices()
        return self.book, tuple(self.actions)

    # ── Opening a row: rules 13, 7, 10, 12 ───────────────────────────────────────────────────────────────────────────

    def _propose(self, new: Proposed) -> None:
        if self.book.over or len(self.book.rows) >= limits.EFFECTS:
            self.tell(new.use, "", "refused", "no more effects in this call")
            return
        row = Row(
            new.id, "", len(self.book.rows), new.tool, new.kind, new.traits, new.args, new.identity, new.resource,
            replaces=new.replaces, use=new.use, opened=new.at,
        )  # fmt: skip
        same = [] if new.replaces else same_act(self.book, row)
        if self._known(row, same):
            return
        needs = [latest(self.book, tool) for tool in new.needs]
        if None in needs:
            self.tell(new.use, "", "refused", f"it needs {' and '.join(new.needs)} first")
            return
        old = revised(self.book, row)
        if new.replaces and old is None:
            self.tell(new.use, "", "refused", "there is nothing that it could replace")
            return
        if old and (rival := unresolved(self.book, old)):
            self._drop(rival, Why.REVISED, aware=True)
        again = any(holds(self.book, other) for other in same)
        asks = new.kind is Kind.PIVOT or new.traits.keep_on == "yes"
        risky = new.traits.old_first if old else again and new.traits.repeat == "ask" and not asks
        self.add(replace(row, needs=tuple(need.id for need in needs if need), replaces=old.id if old else "", risky=risky))
        if old and not row.before and not risky:
            self._succeed(self.get(row.id), old)  # 10: nothing was sent, so that there is nothing to wait for
        if not row.before or not may_act(self.book, self.get(row.id)):
            why = "nothing is done before the caller has heard of it, or said yes, and the earlier one is gone"
            self.outcome(row.id, "waiting", why)

    def _known(self, row: Row, same: list[Row]) -> bool:
        """13: whether the same act is under way, in doubt, or done and not to be repeated; then that is the outcome."""
        doubtful = next((other for other in same if other.stuck or (other.in_flight and other.tries > 1)), None)
        under_way = next((other for other in same if other.open), None)
        done = [other for other in same if holds(self.book, other)]
        if doubtful:
            self.tell(row.use, doubtful.id, "unknown", "its outcome is not known; do not retry")
        elif under_way:
            if rival := unresolved(self.book, under_way):  # what was about to be revised is wanted after all
                self._drop(rival, Why.REVISED, aware=True)
            self.tell(row.use, under_way.id, "waiting", "already under way; do not call it again")
        elif done and row.traits.repeat == "replay":
            self.tell(row.use, done[-1].id, "done" if done[-1].done else "waiting", "it was asked for before")
        else:
            return False
        return True

    def _succeed(self, row: Row, old: Row) -> None:
        """10: the sync that has the new one drops the old, and the new one inherits how far the caller knows."""
        if row.refreshed:  # the same act: what needs it stays
            for other in self.book.rows:
                if other.fact is Fact.UNSENT:
                    self.put(other, needs=tuple(row.id if need == old.id else need for need in other.needs))
        self._drop(old, Why.REVISED)
        old = self.get(old.id)
        if old.why == Why.REVISED:
            self.put(old, aware=True)
            self.put(row, told=row.told if old.told is Told.NO else Told.TELLING if old.told is Told.TOLD else old.told)

    def _take_back(self, wish: TakenBack) -> None:
        row = self.book.row(wish.row)
        if row is None or protector(self.book, row):
            self.tell(wish.use, wish.row, "refused", "it cannot be taken back now")
        elif row.stuck:
            self.tell(wish.use, row.id, "unknown", "its outcome is not known: say that a person will check")
        elif row.open:
            self._drop(row, Why.RETRACTED, aware=True)
            self.tell(wish.use, row.id, "done", "let go")
        elif holds(self.book, row) and row.traits.undo:
            self.add_take_back(wish.id, row, wish.use, wish.at)
        else:
            self.tell(wish.use, row.id, "refused", "it cannot be taken back")

    # ── The loop: what a row still needs from the world ──────────────────────────────────────────────────────────────

    def _drive(self, name: str) -> None:
        if self.get(name).open:
            self._give_up(self.get(name))
        row = self.get(name)
        if row.fact is Fact.UNSENT:
            self._drive_unsent(row)
        elif row.fact is Fact.THERE and row.dropped:
            self.send(row, Ask.UNDO)
        elif row.fact is Fact.THERE and row.kept and row.kind is Kind.HELD:
            self.send(row, Ask.CONFIRM)
        elif row.done and row.replaces:
            self._replace_kept(row)

    def _drive_unsent(self, row: Row) -> None:
        if row.dropped:
            self.put(row, fact=Fact.ABSENT)
        elif row.before:
            if row.open and may_act(self.book, row):
                self.send(row, Ask.DO)
        elif row.kind is Kind.TAKE_BACK and any(target.failed for target in needed(self.book, row)):
            self._got(self.put(row, fact=Fact.THERE))  # there is nothing left to undo
        elif lost(self.book, row):
            if row.open:
                self._drop(row, Why.NEED)
            else:
                self._refused(row, "what it needs is gone")  # 7, 8
        elif row.kept and ready(self.book, row) and not (self.book.frozen and row.kind in SPOKEN):  # 9: the outbox holds
            self.send(row, Ask.ACT)

    def _give_up(self, row: Row) -> None:
        """What was asked about in vain is let go (10); a hold with too little time left is prepared again, once (6)."""
        if self.book.frozen or self.being_told(row) or protector(self.book, row):
            return
        if row.checks >= CUTS:
            self._drop(row, Why.UNHEARD)
        elif row.stale and not unresolved(self.book, row):
            if row.refreshed or any(other.replaces == row.id and other.refreshed for other in self.book.rows):
                self._drop(row, Why.EXPIRED)
            else:
                self.add_fresh(row)

    def _replace_kept(self, row: Row) -> None:
        """12: revising what was kept is a new row, then a take-back."""
        for old in lineage(self.book, row.id):
            name = f"{old.id}.old"
            if old.seq < row.seq and old.done and not undoing(self.book, old) and self.book.row(name) is None:
                self.add_take_back(name, old, "", row.opened)

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
                self.forget_clocks(row)
            case Fact.CONFIRMING:
                self.put(row, fact=Fact.CONFIRMED, sends=0, tries=0, result=answer.result or row.result)
                self.forget_clocks(row)
            case _:
                expires = answer.expires if row.kind is Kind.HELD else 0.0
                unsure = row.open and row.kind is Kind.HELD and not answer.lasts  # nobody said how long it lasts
                row = self.put(row, fact=Fact.THERE, sends=0, tries=0, result=answer.result, expires=expires, stale=unsure)
                if row.kind is Kind.HELD and answer.lasts:
                    self.arm(Clock.EXPIRES, row.id, answer.lasts)
                    if row.open:
                        self.arm(Clock.STALE, row.id, max(0.0, answer.lasts - ASK_MARGIN_S))
                self._got(row)

    def _got(self, row: Row) -> None:
        """The world has it: what it revises, takes along or undoes follows in the same sync."""
        self.disarm(Clock.RETRY, row.id)
        if row.dropped:
            return
        if row.open and (old := self.book.row(row.replaces)):  # 10: get the new, then drop the old
            self._succeed(row, old)
        for need in needed(self.book, row):
            if row.kind is Kind.PIVOT:
                self._keep(need, Why.PIVOT)  # 7
            elif row.kind is Kind.TAKE_BACK:
                self.put(need, taken_back=True, aware=True)
        self.outcome(row.id, "done", "")

    def _refused(self, row: Row, why: str) -> None:
        """A definite no: to an undo it means that a human must look."""
        if row.fact is Fact.UNDOING:
            self._stick(self.put(row, sends=0), why)
            return
        row = self.put(row, fact=Fact.ABSENT, error=why)
        self.forget_clocks(row)
        self.outcome(row.id, "refused", why)
        if row.open:
            self._drop(row, Why.REFUSED)
        elif row.kind is Kind.PIVOT:
            for need in needed(self.book, row):
                self._drop(need, Why.NEED)  # 7: refused → dropped

    def _not_sent(self, row: Row, why: str) -> None:
        if row.sends > 1:
            self.unknown(self.put(row, sends=row.sends - 1), why)
        elif row.fact is Fact.SENT and row.before:
            self._refused(row, why or "busy")
        elif row.tries >= tries_of(row):
            self._stick(self.put(row, sends=0), why)
        else:
            self.put(row, sends=0)
            self.arm(Clock.RETRY, row.id, _backoff(row))

    def unknown(self, row: Row, why: str = "") -> None:
        """14: resend the same key where it is honoured, else ask; who can do neither sticks."""
        if row.tries >= tries_of(row) or self._again(row) is None:
            self._stick(row, why)
        else:
            self.put(row, error=why or row.error)
            self.arm(Clock.RETRY, row.id, 0.0 if self.book.over and row.tries <= 1 else _backoff(row))

    def _again(self, row: Row) -> Ask | None:
        """The request that may be sent after an unknown outcome."""
        traits = row.traits
        if row.dropped and traits.tombstone:
            return Ask.UNDO
        if not row.sends or traits.honours_key:
            return next(ask for ask, fact in ARROWS.items() if fact is row.fact and (ask is not Ask.DO or row.before))
        return Ask.STATUS if traits.status else None

    def _retry(self, row: Row) -> None:
        ask = self._again(row)
        if ask is Ask.STATUS:
            self.put(row, tries=row.tries + 1)
            self.actions.append(Send(row.id, ask))
        elif ask:
            self.send(row, ask)

    def _found(self, row: Row, answer: Answer) -> None:
        """What `status` says is final only where nothing that was sent before can still arrive."""
        match row.fact, answer:
            case Fact.SENT, Found.THERE | Found.CONFIRMED:
                self._succeeded(row, Done(row.result))
            case Fact.SENT, Found.ABSENT if row.before and row.traits.tombstone:
                if row.open:
                    self._drop(row, Why.REFUSED)
                self.send(self.get(row.id), Ask.UNDO)
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
        """Never closed silently: a human is told, unless it is a hold that ends by itself. A pivot takes its needs along."""
        self.disarm(Clock.RETRY, row.id)
        if row.fact is Fact.UNDOING and (Clock.EXPIRES, row.id) in self.book.armed:
            self.put(row, error=why or row.error)
            return
        self.put(row, stuck=True, error=why or row.error)
        self.outcome(row.id, "unknown", "its outcome is not known: say that a person will check")
        for need in needed(self.book, row):
            if row.kind is Kind.PIVOT and need.open:
                self.put(need, stuck=True, error="its pivot is stuck")

    # ── Tellings: rules 3, 4, 5, 15 ──────────────────────────────────────────────────────────────────────────────────

    def _begin(self, event: Begin) -> None:
        """Synced before its first frame leaves; what is not owed any more is not said."""
        if (event.row, event.mode) not in {(due.effect, due.mode) for due in owed(self.book)}:
            self.actions.append(Void(event.row, event.key))
            return
        row = self.get(event.row)
        told = {Mode.ASK: Told.ASKED, Mode.RISK: Told.ASKED, Mode.UNTELL: row.told}.get(event.mode, Told.TELLING)
        if row.told is not Told.TOLD:
            self.put(row, told=told, checks=row.checks + (event.mode is Mode.CHECK))
        others = (telling for telling in self.book.tellings if telling.row != row.id)  # 5: a yes is to the last question
        self.set(tellings=(*others, Telling(row.id, event.mode, event.key)))
        self.actions.append(Release(row.id, event.key))

    def _played(self, event: Played) -> None:
        telling = self.telling(event.key)
        if telling is None:
            return
        row = self.get(telling.row)
        self.set(tellings=tuple(replace(t, played=event.pos) if t is telling else t for t in self.book.tellings))
        if telling.mode is Mode.UNTELL:
            self.put(row, aware=True)
        elif telling.mode is Mode.TELL and row.kept:
            self.put(row, told=Told.TOLD)
        elif telling.mode is Mode.TELL and not self.book.frozen:
            self.arm(Clock.GUARD, row.id, self.book.guard)
        if not row.open:
            self.forget_told(row)

    def _cut(self, event: Cut) -> None:
        """15: CLEARED or LOST is doubt: it stays open and is told again."""
        telling = self.telling(event.key)
        if telling is not None and telling.played is None:
            self.set(tellings=tuple(t for t in self.book.tellings if t is not telling))
            self._unheard(telling)

    def _unheard(self, telling: Telling) -> None:
        """A telling, or a question that keeps, came to nothing."""
        row = self.get(telling.row)
        if row.open and telling.mode is not Mode.RISK:
            self.put(row, cuts=row.cuts + 1)

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
        unheard = [t for t in self.book.tellings if t is not question]
        self.set(tellings=(), frozen=False)
        self.disarm(Clock.FREEZE, "")
        match words.says:
            case Says.RETRACT:
                for row in self.book.rows:
                    self._drop(row, Why.RETRACTED, aware=True)
            case Says.NO if question:
                self._drop(self.get(question.row), Why.REFUSED_BY_CALLER, aware=True)
            case Says.ASSENT:
                if question:  # first, since a pivot takes its needs with it
                    self._yes(self.get(question.row), question.mode)
                for telling in heard:
                    if telling.mode is Mode.TELL:
                        self._keep(self.get(telling.row), Why.ASSENT, told=Told.TOLD)
            case _ if question and question.mode is Mode.CHECK:
                self._drop(self.get(question.row), Why.UNHEARD)
        for telling in unheard:
            self._unheard(telling)

    def _yes(self, row: Row, mode: Mode) -> None:
        """A bound yes: to this row, with these arguments, to this question."""
        if mode is Mode.RISK:
            row = self.put(row, risked=True)
            old = self.book.row(row.replaces)
            if old and old.open:
                self._drop(old, Why.REVISED)  # that it is gone is told with the new one, or by itself where that fails
            elif old and not undoing(self.book, old):
                self.add_take_back(f"{old.id}.old", old, "", row.opened)
        else:
            self._keep(row, Why.YES, told=Told.TOLD if mode is Mode.CHECK else row.told)

    # ── Verdicts: given once ─────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, row: Row, why: Why, told: Told | None = None) -> None:
        row = self.get(row.id)
        if not row.open:
            return
        if why is not Why.PIVOT and protector(self.book, row):  # 7: the pivot's answer is its verdict
            self.put(row, told=told or row.told)
            return
        for wanted in (row, *(needed(self.book, row) if row.kind is Kind.PIVOT else ())):
            if rival := unresolved(self.book, wanted):  # assent to the old drops the new
                self._drop(rival, Why.KEPT_OTHER, aware=True)
        row = self.put(row, verdict=Verdict.KEEP, why=why, told=told or row.told)
        self.forget_verdict_clocks(row)
        self.forget_told(row)

    def _drop(self, row: Row, why: Why, *, aware: bool = False) -> None:
        """What needs it follows in the same sync, by the loop; what a pivot has taken with it waits for the pivot."""
        row = self.get(row.id)
        if not row.open or protector(self.book, row):
            return
        aware = aware and all(telling.row != row.id for telling in self.book.tellings)  # else it may be heard once more
        self.put(row, verdict=Verdict.DROP, why=why, aware=aware)
        self.forget_verdict_clocks(row)
        self.set(tellings=tuple(t for t in self.book.tellings if t.row != row.id))
        if old := self.book.row(row.replaces):
            self.forget_told(old)  # 10: the old one stays, and is told again
        self.outcome(row.id, "refused", f"it was let go: {why}")

    def _close(self, name: str) -> None:
        """16: the call is over, or its owner dead; what a row needs comes first."""
        for need in self.get(name).needs:
            self._close(need)
        row = self.get(name)
        if row.told not in {Told.TELLING, Told.TOLD}:
            self._drop(row, Why.ENDED)
        elif row.traits.on_doubt == "keep" and self._needs_kept(row):
            self._keep(row, Why.DOUBT)
        else:
            self._drop(row, Why.DOUBT)

    def _needs_kept(self, row: Row) -> bool:
        return all(need.kept and not need.failed for need in needed(self.book, row))

    def _owe_notices(self) -> None:
        """16: the caller must not be left believing what is not so, or not knowing what is."""
        for row in self.book.rows:
            if row.kind not in SPOKEN or row.noticed or row.open or undoing(self.book, row):
                continue
            untold = row.kept and row.told is not Told.TOLD and not row.aware
            if untold or misled(row) or row.why == Why.DOUBT:
                self.add_notice(self.put(row, noticed=True))

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
            if heard and not unresolved(self.book, row):
                self._keep(row, Why.TOLD, told=Told.TOLD)
        elif clock is Clock.OPEN and self.book.frozen:
            self.arm(clock, name, FREEZE_S)  # 9: not while the caller may be saying yes
        elif clock is Clock.OPEN:
            self._drop(row, Why.LATE)
        elif clock is Clock.STALE:
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
        if protector(self.book, row):  # 7: one incident; the pivot is to be resolved
            if isinstance(event, Resolved) and not event.has:
                self.put(row, fact=Fact.ABSENT)
                self.forget_clocks(row)
            return
        row = self.put(row, stuck=False, tries=0)
        for need in needed(self.book, row):
            if row.kind is Kind.PIVOT and need.open:
                self.put(need, stuck=False)
        if isinstance(event, Retried):
            if self._again(row) is None:
                self._stick(row, "it cannot be tried again without doing it twice: look at the remote, and resolve it")
            else:
                self._retry(row)
        elif event.has and row.fact is Fact.UNDOING:
            self.put(row, fact=Fact.THERE, sends=0)
        elif event.has or row.fact is Fact.UNDOING:
            self._succeeded(row, Done(row.result))
        else:
            self._refused(self.put(row, sends=1), event.why)


def tries_of(row: Row) -> int:
    """How often a request of the row is tried."""
    return TRIES if row.kind in SPOKEN else OUTBOX_TRIES


def _backoff(row: Row) -> float:
    return float(min(0.5 * 2 ** max(0, row.tries - 1), 30.0))
