"""Effects in whole calls: what the caller heard is kept, what was taken back or never told is undone."""

from __future__ import annotations

import trio

from agentd.ledger.row import Verdict
from agentd.ledger.storage.ledger import Ledger
from agentd.messages import TakeBack, ThinkRequest, UseTool
from tests.calls.effects import World, call, flow, rows
from tests.calls.harness import telephone_call
from tests.calls.script import Round, Script, tool
from tests.fakes.speech import ReadingRecognizer

BOOK = {"book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("anything else?"))}


async def test_what_was_told_and_not_objected_to_is_kept(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(BOOK)) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.quiet()
        assert "You are booked on tuesday. anything else?" in scene.phone.sentence()
        await trio.sleep(0.5)
        (row,) = await rows(ledger)
        assert (row.verdict, row.why) == (Verdict.KEEP, "told")
    assert world.net() == {"tuesday": 1}


async def test_what_is_retracted_in_the_middle_is_undone(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(BOOK)) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("You")
        scene.phone.say("no don't book it")
        await scene.phone.said()
        await scene.phone.quiet()
        (row,) = await rows(ledger)
        assert (row.verdict, row.why) == (Verdict.DROP, "retracted")
    assert world.net() == {}
    assert world.log == [("book", "tuesday"), ("undo", "tuesday")]


async def test_a_question_leaves_it_open_and_it_is_told_again(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    script = Script({**BOOK, "how much is it": "ten dollars"})
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.say("how much is it")
        await scene.phone.said()
        await scene.phone.quiet()
        assert scene.phone.sentence().endswith("You are booked on tuesday. ten dollars")
        await trio.sleep(0.5)
        (row,) = await rows(ledger)
        assert (row.verdict, row.why, row.cuts) == (Verdict.KEEP, "told", 1)
    assert world.net() == {"tuesday": 1}


async def test_a_revision_gets_the_new_and_drops_the_old(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)

    def revise(request: ThinkRequest) -> Round:
        (old,) = request.effects
        return Round(proposals=(UseTool("w", "book", {"day": "wednesday"}, replaces=old.id),))

    script = Script({**BOOK, "actually wednesday": (revise, Round("there you go"))})  # type: ignore[dict-item]
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.say("actually wednesday")
        await scene.phone.said()
        await scene.phone.quiet(1.0)
        assert "You are booked on wednesday. there you go" in scene.phone.sentence()
    assert world.net() == {"wednesday": 1}
    tuesday, wednesday = await rows(ledger)
    assert (tuesday.why, wednesday.why) == ("revised", "told")


async def test_a_hold_is_asked_about_and_confirmed_on_yes(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    script = Script({"hold tuesday": (Round(proposals=tool("reserve", day="tuesday")), Round("")), "yes": "what else?"})
    async with call(world, ledger, script) as scene:
        scene.phone.say("hold tuesday")
        await scene.phone.quiet()
        assert scene.phone.sentence().endswith("Shall I hold tuesday for you?")
        scene.phone.say("yes")
        await scene.phone.quiet()
        assert scene.phone.sentence().endswith("I have reserved tuesday. what else?")
        (row,) = await rows(ledger)
        assert (row.verdict, row.why, row.told.value) == (Verdict.KEEP, "yes", "told")
    assert world.log == [("prepare", "tuesday"), ("confirm", "tuesday")]


async def test_what_the_words_were_taken_for_is_told_with_them_and_not_with_later_ones(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2)
    script = Script({"hold tuesday": (Round(proposals=tool("reserve", day="tuesday")), Round("")), "yes": "what else?"})
    async with call(world, ledger, script) as scene:
        for words in ("hold tuesday", "yes", "when do you open"):
            scene.phone.say(words)
            await scene.phone.quiet(1.0)
    took = {request.text: request.took for request in script.requests if request.why == "reply"}
    assert took == {"hold tuesday": "", "yes": "assent", "when do you open": ""}


async def test_a_payment_needs_a_yes(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    script = Script({"pay": (Round(proposals=tool("charge", amount=20)), Round("")), "no": "as you like"})
    async with call(world, ledger, script) as scene:
        scene.phone.say("pay")
        await scene.phone.quiet()
        scene.phone.say("no")
        await scene.phone.quiet()
        assert scene.phone.sentence().endswith("as you like")
    assert world.log == []


async def test_a_text_is_sent_when_it_was_told(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    script = Script({"text me": (Round(proposals=tool("text", day="tuesday")), Round("ok"))})
    async with call(world, ledger, script) as scene:
        scene.phone.say("text me")
        await scene.phone.hears("will")
        assert world.log == []
        await scene.phone.silence(0.6)
        assert world.log == [("text", "tuesday")]


async def test_hanging_up_before_it_was_told_undoes_it(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.5)
    async with call(world, ledger, Script(BOOK)) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.said()
        await trio.sleep(0.8)
        assert world.log == [("book", "tuesday")]
        scene.phone.hang_up()
    assert world.net() == {}


async def test_hanging_up_in_the_middle_of_the_telling_keeps_it_and_owes_a_notice(
    autojump_clock: trio.testing.MockClock, ledger: Ledger
) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(BOOK)) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.hang_up()
    assert world.net() == {"tuesday": 1}
    found = {row.kind.value: row for row in await rows(ledger)}
    assert found["compensable"].why == "doubt"
    assert found["notice"].verdict is Verdict.KEEP


async def test_what_was_kept_can_be_taken_back(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)

    def undo(request: ThinkRequest) -> Round:
        (kept,) = request.effects
        return Round(proposals=(TakeBack("t", kept.id),))

    script = Script({**BOOK, "cancel my appointment": (undo, Round("fine"))})  # type: ignore[dict-item]
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.quiet(1.0)
        scene.phone.say("cancel my appointment")
        await scene.phone.quiet(1.0)
    assert world.net() == {}


async def test_a_yes_that_was_heard_unsurely_binds_nothing(autojump_clock: trio.testing.MockClock, ledger: Ledger) -> None:
    world = World(0.2)
    script = Script({"pay": (Round(proposals=tool("charge", amount=20)), Round("")), "yes": "did you say yes"})
    unsure = ReadingRecognizer(sure=False)
    async with telephone_call(flow(world), script, recognizer=unsure, ledger=ledger) as scene:
        await scene.phone.quiet()
        scene.phone.say("pay")
        await scene.phone.quiet()
        assert scene.phone.sentence().endswith("Shall I charge 20 dollars?")
        scene.phone.say("yes")
        await scene.phone.quiet()
        assert scene.phone.sentence().endswith("did you say yes Shall I charge 20 dollars?")
    assert world.log == []
