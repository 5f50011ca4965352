"""Effects at the edges of calls: the last words, a line that is gone, a record that fails, an answer that does not come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio

from agentd.errors import LedgerDown
from agentd.ledger.row import Fact, Kind, Row, Told, Verdict
from agentd.ledger.storage.ledger import Ledger, Page
from agentd.messages import Fire, Outcome, Retract, ThinkRequest
from agentd.providers.base import Final, RecognizerInput, RecognizerOutput
from tests.calls.effects import World, call, rows
from tests.calls.script import Round, Script, tool
from tests.fakes import speech

BOOK = {"book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("anything else?"))}
PAY = {"pay": (Round(proposals=tool("charge", amount=20)), Round(""))}
HOLD = {"hold tuesday": (Round(proposals=tool("reserve", day="tuesday")), Round(""))}


class LateReader(speech.ReadingRecognizer):
    """Reads as ever, and is sure of the words only `delay` seconds after their end."""

    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay = delay

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        async def late(item: RecognizerOutput) -> None:
            if isinstance(item, Final):
                await trio.sleep(self._delay)
            await out(item)

        await super().session(rate, audio, late)


def fail_writes(monkeypatch: pytest.MonkeyPatch, fails: Callable[[Sequence[Row]], bool]) -> None:
    """From here on the ledger takes no write of rows that `fails` picks."""
    whole = Page.write

    async def write(page: Page, rows: Sequence[Row]) -> None:
        if fails(rows):
            raise LedgerDown("locked")
        await whole(page, rows)

    monkeypatch.setattr(Page, "write", write)


def is_telling(rows: Sequence[Row]) -> bool:
    return any(row.told is Told.TELLING for row in rows)


# ── Objections ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("delay", [0.3, 1.8])
async def test_an_objection_begun_before_the_hang_up_is_finished(
    autojump_clock: trio.testing.MockClock, ledger: Ledger, delay: float
) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(BOOK), recognizer=LateReader(delay)) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.say("no don't book it")
        await trio.sleep(1.2)
        scene.phone.hang_up()
    (row,) = await rows(ledger)
    assert (row.verdict, row.why) == (Verdict.DROP, "retracted")
    assert world.net() == {}


async def test_an_objection_to_what_the_last_words_tell_is_heard(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2)
    script = Script({**BOOK, "how much is it": Round("ten dollars", delay=3.0)})
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.say("how much is it")
        await scene.phone.said()
        await trio.sleep(1.5)
        scene.call.drain()
        await scene.phone.hears("You")
        scene.phone.say("no don't book it")
        await scene.over.wait()
    (row,) = await rows(ledger)
    assert (row.verdict, row.why) == (Verdict.DROP, "retracted")
    assert world.net() == {}


async def test_what_is_kept_is_not_retracted_but_taken_back(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world, seen = World(0.2), list[Outcome]()

    def retract(request: ThinkRequest) -> Round:
        (kept,) = request.effects
        return Round(proposals=(Retract(kept.id),))

    def look(request: ThinkRequest) -> Round:
        seen.extend(request.outcomes)
        return Round("I see")

    script = Script({**BOOK, "cancel my appointment": (retract, look)})  # type: ignore[dict-item]
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.quiet(1.0)
        scene.phone.say("cancel my appointment")
        await scene.phone.quiet(1.0)
    assert [(outcome.status, outcome.why) for outcome in seen] == [("refused", "it is kept: take it back instead")]
    assert world.net() == {"tuesday": 1}


# ── A record that fails ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_failed_write_of_a_telling_does_not_silence_the_ledger_for_good(
    autojump_clock: trio.testing.MockClock, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, failed = World(0.2), list[Sequence[Row]]()

    def once(rows: Sequence[Row]) -> bool:
        if failed or not is_telling(rows):
            return False
        failed.append(rows)
        return True

    fail_writes(monkeypatch, once)
    script = Script({**BOOK, "how much is it": "ten dollars"})
    async with call(world, ledger, script) as scene:
        for words in ("book tuesday", "how much is it"):
            scene.phone.say(words)
            await scene.phone.quiet(1.0)
        assert failed
        assert "You are booked on tuesday." in scene.phone.sentence()
    (row,) = await rows(ledger)
    assert (row.verdict, row.why) == (Verdict.KEEP, "told")


async def test_a_telling_refused_in_the_last_words_does_not_fail_the_call(
    autojump_clock: trio.testing.MockClock, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(0.2)
    script = Script({"book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("anything else?", delay=3.0))})
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.said()
        await trio.sleep(2.0)
        fail_writes(monkeypatch, is_telling)
        scene.call.drain()
        await scene.over.wait()
        assert scene.outcome == "drained"
    assert "booked" not in scene.phone.sentence()
    assert world.net() == {}


# ── Answers that come late, or never ─────────────────────────────────────────────────────────────────────────────────


async def test_a_text_that_is_tried_again_does_not_hold_up_the_talk(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2, fails={"text": RuntimeError("no answer")})
    script = Script({"text me": (Round(proposals=tool("text", day="tuesday")), Round("ok")), "when do you open": "at nine"})
    async with call(world, ledger, script) as scene:
        scene.phone.say("text me")
        await scene.phone.quiet(1.0)
        began = trio.current_time()
        scene.phone.say("when do you open")
        await scene.phone.hears("nine", 300)
        assert trio.current_time() - began < 6
        assert world.log.count(("text", "tuesday")) > 1


async def test_a_confirmation_of_unknown_outcome_is_told_as_such(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2)
    script = Script({**HOLD, "yes": "what else?"})
    async with call(world, ledger, script) as scene:
        scene.phone.say("hold tuesday")
        await scene.phone.quiet()
        world.delay = 3600.0
        scene.phone.say("yes")
        await scene.phone.hears("else", 120)
        assert [effect.state for effect in script.requests[-1].effects] == ["unknown"]
        assert "I have reserved" not in scene.phone.sentence()


async def test_a_charge_that_answers_in_five_seconds_is_known_though_the_caller_hung_up_at_once(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(PAY)) as scene:
        scene.phone.say("pay")
        await scene.phone.quiet()
        world.delay = 5.0
        scene.phone.say("yes")
        await scene.phone.said()
        await trio.sleep(0.6)
        scene.phone.hang_up()
    charge = next(row for row in await rows(ledger) if row.kind is Kind.PIVOT)
    assert (charge.verdict, charge.fact, charge.stuck) == (Verdict.KEEP, Fact.THERE, False)
    assert world.log == [("charge", "20")]


# ── Tellings and questions ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_transition_in_the_telling_reply_loses_no_effect(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2)
    rounds = (
        Round(proposals=tool("book", day="tuesday")),
        Round("all done", proposals=(Fire("wants_other"),)),
        Round("what else?"),
    )
    async with call(world, ledger, Script({"book tuesday and leave": rounds})) as scene:
        scene.phone.say("book tuesday and leave")
        await scene.phone.quiet(3.0)
        assert scene.phone.sentence().endswith("You are booked on tuesday. all done what else?")
    (row,) = await rows(ledger)
    assert (row.verdict, row.why) == (Verdict.KEEP, "told")
    assert world.net() == {"tuesday": 1}


async def test_a_question_is_never_cut_before_its_values(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world, day = World(0.2), "the very " * 60 + "last tuesday"
    script = Script({"hold it": (Round(proposals=tool("reserve", day=day)), Round(""))})
    async with call(world, ledger, script) as scene:
        scene.phone.say("hold it")
        await scene.phone.hears("last", 120)
        await scene.phone.silence()
        assert scene.phone.sentence().endswith("the very last tuesday for you?")
