"""The receptionist in whole calls: what the caller said yes to is in the calendar, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agentd.flow import Context, Moment, load
from agentd.ledger.row import Kind, Row
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import open_store
from agentd.ledger.storage.vault import open_vault
from agentd.offload import Inline
from agentd.providers.rules import thinker
from flows.receptionist import OPENING
from flows.tools.calendar import Calendar
from tests.calls.harness import NOON, Scene, telephone_call

TUESDAY, WEDNESDAY = "2026-11-24T10:00", "2026-11-25T10:00"

ASK = "I can book Tuesday the 24th at 10 for John Smith. Shall I do that for you?"
ASK_WEDNESDAY = "I can book Wednesday the 25th at 10 for John Smith. Shall I do that for you?"
BOOKED = "You are booked for Tuesday the 24th at 10. Shall I text you a confirmation?"
TEXTED = "I will text it to the number that you are calling from. Is it your first visit with us?"
CHARGE = "Shall I charge the deposit of 20 dollars to your phone bill?"
ELSE = "Is there anything else I can do for you?"
GOODBYE = "Thank you for calling Acme Dental. Goodbye."


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}", open_vault("", tmp_path / "ledger.sqlite"))
    yield Ledger(store, Inline())
    store.close()


@pytest.fixture(autouse=True)
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calendar:
    monkeypatch.setenv("ACME_DATA", str(tmp_path))
    return Calendar(OPENING)


class Caller:
    """Speaks, and hears what is answered."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.phone = scene, scene.phone

    async def say(self, text: str) -> str:
        """Say something, and let the agent speak out; what it said."""
        before = len(self.phone.spoken())
        self.phone.say(text)
        await self.phone.said()
        await self.phone.quiet(1.0)
        return " ".join(word for _, word in self.phone.spoken()[before:])

    async def interrupt(self, start: str, word: str, text: str) -> str:
        """Say `start`, and in the answer, once `word` was heard, `text`; what the agent then said."""
        self.phone.say(start)
        await self.phone.said()
        await self.phone.hears(word)
        return await self.say(text)

    async def book(self) -> str:
        """As far as the question whether it shall be booked."""
        await self.say("book an appointment on tuesday at ten")
        return await self.say("my name is john smith")


@asynccontextmanager
async def call(ledger: Ledger) -> AsyncIterator[Caller]:
    flow = load("receptionist")
    async with telephone_call(flow, thinker(flow), ledger=ledger) as scene:
        await scene.phone.quiet(1.0)
        yield Caller(scene)


async def rows(ledger: Ledger) -> list[Row]:
    case = await ledger.of_call("call-1")
    return list(case.rows) if case else []


def of(found: list[Row], kind: Kind) -> list[tuple[str, str, str, str]]:
    """The rows of a kind: when, fact, verdict, and what gave it."""
    return [(row.args[9:25], row.fact.value, row.verdict.value, row.why) for row in found if row.kind is kind]


def appointments(calendar: Calendar) -> list[tuple[str, str]]:
    return [(state, start) for state, what, start, _ in calendar.entries() if what == "appointment"]


# ── Booking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_appointment_is_held_asked_about_and_confirmed(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        assert await caller.say("i would like to book an appointment") == "What day suits you?"
        assert (await caller.say("tuesday")).endswith("at 8, 9:30 or 10. Which one would you like?")
        assert await caller.say("at ten") == "May I have your name?"
        assert await caller.say("my name is john smith") == ASK
        assert appointments(calendar) == [("held", TUESDAY)]
        assert await caller.say("yes") == BOOKED
        assert appointments(calendar) == [("booked", TUESDAY)]
    assert of(await rows(ledger), Kind.HELD) == [(TUESDAY, "confirmed", "keep", "yes")]


async def test_a_text_leaves_once_the_caller_has_heard_of_it(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("yes")
        assert await caller.say("yes please") == TEXTED
        assert ("done", "text", TUESDAY, "") in calendar.entries()
        assert await caller.say("no") == ELSE
        assert await caller.say("no thank you") == GOODBYE
    assert of(await rows(ledger), Kind.DEFERRED) == [(TUESDAY, "there", "keep", "told")]


@pytest.mark.parametrize(
    ("answer", "said", "paid"),
    [
        ("yes", f"The deposit is paid. {ELSE}", True),
        ("no", f"All right. {ELSE}", False),
        ("no thanks", f"All right. {ELSE}", False),
    ],
)
async def test_a_deposit_is_charged_on_a_yes_and_on_nothing_else(
    autojump_clock: object, ledger: Ledger, calendar: Calendar, answer: str, said: str, paid: bool
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("yes")
        await caller.say("no")
        assert await caller.say("yes") == f"New patients pay a deposit, which we take off the bill. {CHARGE}"
        assert await caller.say("where are you") == f"We are at 12 Mill Road, across from the station. {CHARGE}"
        assert await caller.say(answer) == said
        assert await caller.say("no") == GOODBYE
    assert any(what == "deposit" for _, what, _, _ in calendar.entries()) is paid
    assert appointments(calendar) == [("booked", TUESDAY)]


async def test_a_no_to_the_question_lets_go_and_asks_for_another_day(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        assert await caller.say("no") == "All right. What day suits you?"
        assert appointments(calendar) == []
        assert await caller.say("wednesday at ten") == ASK_WEDNESDAY
        assert (await caller.say("yes")).startswith("You are booked for Wednesday the 25th at 10.")
    assert appointments(calendar) == [("booked", WEDNESDAY)]
    assert [why for *_, why in of(await rows(ledger), Kind.HELD)] == ["refused_by_caller", "yes"]


async def test_the_same_time_may_be_wanted_after_a_no(autojump_clock: object, ledger: Ledger, calendar: Calendar) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("no")
        assert await caller.say("tuesday at ten") == ASK
        assert await caller.say("yes") == BOOKED
    assert appointments(calendar) == [("booked", TUESDAY)]


async def test_forget_it_lets_go_and_asks_for_nothing_more(autojump_clock: object, ledger: Ledger, calendar: Calendar) -> None:
    async with call(ledger) as caller:
        await caller.book()
        assert await caller.say("forget it") == "All right. What can I do for you?"
        assert appointments(calendar) == []
        assert await caller.say("book an appointment on tuesday at ten") == ASK
    assert of(await rows(ledger), Kind.HELD)[0] == (TUESDAY, "absent", "drop", "retracted")


async def test_a_time_that_somebody_else_took_is_not_asked_about(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.say("book an appointment on tuesday at ten")
        calendar.book(Context(NOON, key="another call's"), Moment.read(TUESDAY), "Ann")
        said = await caller.say("my name is john smith")
        assert said == "I am sorry, Tuesday the 24th at 10 could not be booked. What day suits you?"
        assert await caller.say("wednesday at ten") == ASK_WEDNESDAY


# ── Interrupted ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_question_over_the_question_is_answered_and_it_is_asked_again(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.say("book an appointment on tuesday at ten")
        said = await caller.interrupt("my name is john smith", "Tuesday", "how much is it")
        assert said.endswith(f"A cleaning is 90 dollars, and a check-up is 60. {ASK}")
        assert appointments(calendar) == [("held", TUESDAY)]
        assert await caller.say("yes") == BOOKED
    assert of(await rows(ledger), Kind.HELD) == [(TUESDAY, "confirmed", "keep", "yes")]


async def test_a_question_over_the_telling_is_answered_and_it_is_told_again(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        said = await caller.interrupt("yes", "booked", "how much is it")
        assert said.endswith(
            "You are booked for Tuesday the 24th at 10. A cleaning is 90 dollars, and a check-up is 60. "
            "Shall I text you a confirmation?"
        )
    (row,) = await rows(ledger)
    assert (row.verdict.value, row.told.value) == ("keep", "told")


async def test_another_day_over_the_question_is_got_before_the_first_is_let_go(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.say("book an appointment on tuesday at ten")
        said = await caller.interrupt("my name is john smith", "Tuesday", "actually wednesday")
        assert said.endswith(ASK_WEDNESDAY)
        assert appointments(calendar) == [("held", WEDNESDAY)]
        await caller.say("yes")
    assert appointments(calendar) == [("booked", WEDNESDAY)]
    tuesday, wednesday = await rows(ledger)
    assert (tuesday.why, wednesday.why, wednesday.replaces) == ("revised", "yes", tuesday.id)


async def test_a_hold_waits_while_the_caller_chooses_what_takes_its_place(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.say("book an appointment on tuesday")
        await caller.say("the second one")
        said = await caller.interrupt("my name is john smith", "Tuesday", "actually wednesday")
        assert said.endswith("I have Wednesday the 25th at 9, 10 or 10:30. Which one would you like?")
        assert appointments(calendar) == [("held", "2026-11-24T09:30")]
        assert await caller.say("at ten") == ASK_WEDNESDAY
        assert appointments(calendar) == [("held", WEDNESDAY)]


async def test_a_day_without_anything_free_leaves_what_was_asked_about(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        assert await caller.say("actually sunday") == f"I am afraid we have nothing free Sunday the 22nd at 10. {ASK}"
        assert await caller.say("yes") == BOOKED


async def test_another_day_over_the_telling_is_booked_in_its_place(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        said = await caller.interrupt("yes", "booked", "actually wednesday")
        assert said.endswith(ASK_WEDNESDAY)
        assert "You are booked for Tuesday" not in said  # it may not stand any more in a moment
        assert appointments(calendar) == [("booked", TUESDAY), ("held", WEDNESDAY)]
        assert await caller.say("yes") == (
            "You are booked for Wednesday the 25th at 10. Your appointment Tuesday the 24th at 10 is cancelled. "
            "Shall I text you a confirmation?"
        )
    assert appointments(calendar) == [("booked", WEDNESDAY)]
    found = await rows(ledger)
    assert of(found, Kind.TAKE_BACK) == [(TUESDAY, "there", "keep", "yes")]
    assert all(row.told.value == "told" for row in found if row.kind is Kind.TAKE_BACK or row.args[9:25] == WEDNESDAY)


async def test_a_no_to_the_other_day_leaves_the_first_one(autojump_clock: object, ledger: Ledger, calendar: Calendar) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("yes")
        assert await caller.say("actually wednesday") == ASK_WEDNESDAY
        assert await caller.say("no") == "All right. Shall I text you a confirmation?"
        assert await caller.say("yes") == TEXTED
    assert appointments(calendar) == [("booked", TUESDAY)]
    assert ("done", "text", TUESDAY, "") in calendar.entries()


async def test_thanks_over_the_question_is_a_yes_once_its_values_were_heard(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.say("book an appointment on tuesday at ten")
        assert (await caller.interrupt("my name is john smith", "do", "perfect thanks")).endswith(BOOKED)
    assert appointments(calendar) == [("booked", TUESDAY)]


async def test_thanks_before_the_time_was_heard_is_no_yes(autojump_clock: object, ledger: Ledger, calendar: Calendar) -> None:
    async with call(ledger) as caller:
        await caller.say("book an appointment on tuesday at ten")
        assert (await caller.interrupt("my name is john smith", "can", "perfect thanks")).endswith(ASK)
    assert appointments(calendar) == []


# ── Changed and taken back ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_appointment_is_moved_when_the_new_one_is_sure(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        for said in ("yes", "no", "no"):
            await caller.say(said)
        assert await caller.say("can you change my appointment") == "What day suits you?"
        assert (await caller.say("wednesday")).endswith("Which one would you like?")
        assert appointments(calendar) == [("booked", TUESDAY)]
        assert await caller.say("at ten") == ASK_WEDNESDAY
        await caller.say("yes")
    assert appointments(calendar) == [("booked", WEDNESDAY)]


async def test_a_second_appointment_leaves_the_first_one(autojump_clock: object, ledger: Ledger, calendar: Calendar) -> None:
    async with call(ledger) as caller:
        await caller.book()
        for said in ("yes", "no", "no"):
            await caller.say(said)
        assert await caller.say("i would like to book an appointment for wednesday at ten") == ASK_WEDNESDAY
        assert (await caller.say("yes")).startswith("You are booked for Wednesday the 25th at 10. Shall")
    assert appointments(calendar) == [("booked", TUESDAY), ("booked", WEDNESDAY)]


@pytest.mark.parametrize("said", ["cancel my appointment", "can you cancel it please", "no cancel it"])
async def test_a_kept_appointment_is_cancelled(autojump_clock: object, ledger: Ledger, calendar: Calendar, said: str) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("yes")
        assert await caller.say(said) == f"Your appointment Tuesday the 24th at 10 is cancelled. {ELSE}"
        assert appointments(calendar) == []
        assert await caller.say("book an appointment on tuesday at ten") == ASK
    assert of(await rows(ledger), Kind.TAKE_BACK) == [(TUESDAY, "there", "keep", "yes")]


async def test_what_is_cancelled_after_a_text_was_sent_is_the_appointment(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("yes")
        await caller.say("yes")
        assert await caller.say("cancel my appointment") == f"Your appointment Tuesday the 24th at 10 is cancelled. {ELSE}"
    assert appointments(calendar) == []


# ── Silence and hanging up ───────────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_silence_it_is_asked_again_and_never_taken_for_a_yes(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        before = len(caller.phone.spoken())
        await caller.phone.quiet(1.0)
        assert " ".join(word for _, word in caller.phone.spoken()[before:]) == ASK
        assert appointments(calendar) == [("held", TUESDAY)]
        await caller.scene.over.wait()
    assert appointments(calendar) == []


async def test_whoever_hangs_up_over_the_question_has_booked_nothing(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        caller.phone.hang_up()
    assert appointments(calendar) == []
    assert of(await rows(ledger), Kind.HELD) == [(TUESDAY, "absent", "drop", "ended")]


async def test_whoever_says_goodbye_to_the_question_has_booked_nothing(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        assert await caller.say("goodbye") == GOODBYE
    assert appointments(calendar) == []


async def test_whoever_hangs_up_after_the_yes_is_booked_and_owed_a_notice(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        caller.phone.say("yes")
        await caller.phone.hears("booked")
        caller.phone.hang_up()
    assert appointments(calendar) == [("booked", TUESDAY)]
    book, notice = await rows(ledger)
    assert (book.why, book.told.value, notice.kind, notice.of) == ("yes", "telling", Kind.NOTICE, book.id)


async def test_whoever_hangs_up_while_a_text_is_told_gets_it_and_a_notice(
    autojump_clock: object, ledger: Ledger, calendar: Calendar
) -> None:
    async with call(ledger) as caller:
        await caller.book()
        await caller.say("yes")
        caller.phone.say("yes")
        await caller.phone.hears("text")
        caller.phone.hang_up()
    assert ("done", "text", TUESDAY, "") in calendar.entries()
    _, text, notice = await rows(ledger)
    assert (text.why, notice.of) == ("doubt", text.id)
