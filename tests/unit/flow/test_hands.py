"""A row's request as a call of a tool's function, and every way in which that can end as an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from agentd.errors import ProviderError, ToolError, ToolGone, ToolNotSent, ToolRefused
from agentd.flow import (
    Context,
    EffectTool,
    Flow,
    Hold,
    Slots,
    SpokenName,
    SpokenTime,
    State,
    When,
    compensable,
    deferred,
    held,
    load,
    pivot,
    slot,
)  # fmt: skip
from agentd.flow.hands import FlowHands
from agentd.ledger.events import Answer, Ask, Done, Found, No, NotSent, Unknown
from agentd.ledger.row import Kind, Row
from agentd.offload import Inline, Offload, Threads

EPOCH = datetime(2026, 11, 20, 17, tzinfo=UTC)


class Visit(Slots):
    when: SpokenTime | None = slot(ask="When?")
    name: SpokenName | None = slot(ask="Who?")


class World:
    """Notes each call, and answers as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Context, dict[str, Any]]] = []
        self.answer: Any = None
        self.delay = 0.0

    async def ask(self, what: str, context: Context, **more: Any) -> Any:
        self.asked.append((what, context, more))
        await trio.sleep(self.delay)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def flow_of(world: World) -> Flow:
    @held(tell="Booked {when}.", ask="Book {when}?", identity=["when"], ttl=300)
    async def book(context: Context, when: SpokenTime, name: SpokenName = "") -> Any:
        return await world.ask("prepare", context, when=when, name=name)

    @book.confirm
    async def confirm(context: Context, result: Any) -> Any:
        return await world.ask("confirm", context, result=result)

    @book.cancel
    async def cancel(context: Context, when: SpokenTime) -> Any:
        return await world.ask("cancel", context, when=when)

    @book.undo
    async def undo(context: Context) -> Any:
        return await world.ask("undo", context)

    @book.status
    async def status(context: Context) -> Any:
        return await world.ask("status", context)

    @compensable(tell="Noted {name}.", identity=["name"])
    def note(context: Context, name: SpokenName) -> Any:
        world.asked.append(("do", context, {"name": name}))
        if isinstance(world.answer, Exception):
            raise world.answer
        return world.answer

    @note.undo
    async def unnote(context: Context) -> Any:
        return await world.ask("undo", context)

    @deferred(tell="I will text {name}.", identity=["name"])
    async def text(context: Context, name: SpokenName) -> Any:
        return await world.ask("act", context, name=name)

    @pivot(tell="Paid for {name}.", ask="Pay for {name}?", identity=["name"])
    async def pay(context: Context, name: SpokenName) -> Any:
        return await world.ask("act", context, name=name)

    return Flow(
        "test",
        states=[State("start", fills=Visit, tools=[book, note, text, pay]), State("end", final=True)],
        transitions=[When("is_done", "start", "end", "bye")],
        timezone="America/New_York",
        help="x",
    )


class Bench:
    """A flow, its hands and the world behind them."""

    def __init__(self, offload: Offload | None = None) -> None:
        self.world = World()
        self.flow = flow_of(self.world)
        self.hands = FlowHands(
            self.flow, offload or Inline(), lambda: EPOCH + timedelta(seconds=trio.current_time() - self.began),
            call_from="+1555", call_to="+1777",
        )  # fmt: skip
        self.began = trio.current_time()

    def row(self, tool: str = "book", kind: Kind | None = None, **more: Any) -> Row:
        found = self.flow.tools[tool]
        assert isinstance(found, EffectTool)
        args = {"when": "2026-11-24T10:00", "name": "Ann"} if tool == "book" else {"name": "Ann"}
        return Row("r1", "c1", 0, tool, kind or found.kind, found.traits, json.dumps(args), **more)

    async def send(self, row: Row, ask: Ask, answer: Any = None) -> Answer:
        self.world.answer = answer
        return await self.hands.send(row, ask)


async def test_each_request_calls_its_function_with_its_key(autojump_clock: MockClock) -> None:
    bench = Bench()
    taken = bench.row(kind=Kind.TAKE_BACK, of="r0")
    sends = [
        (bench.row(), Ask.DO, "prepare", "r1", "r1"),
        (bench.row(), Ask.CONFIRM, "confirm", "r1.confirm", "r1"),
        (bench.row(), Ask.UNDO, "cancel", "r1.undo", "r1"),
        (bench.row(), Ask.STATUS, "status", "r1", "r1"),
        (taken, Ask.ACT, "undo", "r0.undo", "r0"),
        (taken, Ask.STATUS, "status", "r0", "r0"),
        (bench.row("note"), Ask.DO, "do", "r1", "r1"),
        (bench.row("note"), Ask.UNDO, "undo", "r1.undo", "r1"),
        (bench.row("text"), Ask.ACT, "act", "r1", "r1"),
        (bench.row("pay"), Ask.ACT, "act", "r1", "r1"),
    ]
    for row, ask, what, key, effect in sends:
        await bench.send(row, ask, "there")
        called, context, _ = bench.world.asked[-1]
        assert (called, context.key, context.effect) == (what, key, effect)


async def test_whom_it_is_done_for_comes_from_the_call(autojump_clock: MockClock) -> None:
    bench = Bench()
    await bench.send(bench.row(), Ask.DO)
    _, context, _ = bench.world.asked[0]
    assert (context.call, context.call_from, context.call_to, dict(context.slots)) == ("c1", "+1555", "+1777", {})
    assert context.now.isoformat() == "2026-11-20T12:00:00-05:00"


async def test_arguments_and_the_first_result_come_from_the_row(autojump_clock: MockClock) -> None:
    bench = Bench()
    await bench.send(bench.row(), Ask.DO)
    await bench.send(bench.row(result='{"id": 7}'), Ask.CONFIRM)
    await bench.send(bench.row(), Ask.CONFIRM)
    await bench.send(bench.row(), Ask.UNDO)
    given = [more for _, _, more in bench.world.asked]
    assert [str(given[0]["when"]), given[0]["name"], str(given[3]["when"])] == ["2026-11-24T10:00", "Ann", "2026-11-24T10:00"]
    assert [given[1]["result"], given[2]["result"]] == [{"id": 7}, None]


async def test_what_a_function_returns_is_done_and_its_result_is_json(autojump_clock: MockClock) -> None:
    bench = Bench()
    assert await bench.send(bench.row("note"), Ask.DO, {"id": 7}) == Done('{"id":7}')
    assert await bench.send(bench.row("text"), Ask.ACT) == Done("")
    assert await bench.send(bench.row(), Ask.CONFIRM, {"id": 8}) == Done('{"id":8}')
    assert isinstance(await bench.send(bench.row("note"), Ask.DO, object()), Unknown)


async def test_a_hold_lasts_from_before_it_was_asked_for(autojump_clock: MockClock) -> None:
    bench = Bench()
    bench.world.delay = 4.0
    assert await bench.send(bench.row(), Ask.DO, {"id": 7}) == Done('{"id":7}', 296.0, EPOCH.timestamp() + 300)


@pytest.mark.parametrize(
    ("expires", "lasts"),
    [
        (EPOCH + timedelta(seconds=60), 60.0),
        (datetime(2026, 11, 20, 12, 2), 120.0),  # in the flow's zone
        (EPOCH - timedelta(seconds=60), 0.001),
    ],
)
async def test_a_hold_may_say_how_long_it_lasts(autojump_clock: MockClock, expires: datetime, lasts: float) -> None:
    bench = Bench()
    done = await bench.send(bench.row(), Ask.DO, Hold(expires, {"id": 7}))
    assert isinstance(done, Done)
    assert (done.result, done.lasts) == ('{"id":7}', pytest.approx(lasts))


REFUSED, GONE, UNSENT = ToolRefused("taken"), ToolGone("no such thing"), ToolNotSent("no route")


@pytest.mark.parametrize(
    ("ask", "raised", "answer"),
    [
        (Ask.DO, REFUSED, No("taken")),
        (Ask.CONFIRM, REFUSED, No("taken")),
        (Ask.UNDO, REFUSED, No("taken")),
        (Ask.STATUS, REFUSED, Unknown("taken")),
        (Ask.DO, GONE, No("no such thing")),
        (Ask.CONFIRM, GONE, No("no such thing")),
        (Ask.UNDO, GONE, Done()),
        (Ask.STATUS, GONE, Found.ABSENT),
        (Ask.DO, UNSENT, NotSent("no route")),
        (Ask.STATUS, UNSENT, NotSent("no route")),
        (Ask.DO, ToolError("500"), Unknown("500")),
    ],
)
async def test_what_a_tool_raises_is_its_answer(autojump_clock: MockClock, ask: Ask, raised: Exception, answer: Answer) -> None:
    bench = Bench()
    assert await bench.send(bench.row(), ask, raised) == answer


async def test_a_take_back_of_what_is_gone_is_done(autojump_clock: MockClock) -> None:
    bench = Bench()
    assert await bench.send(bench.row(kind=Kind.TAKE_BACK, of="r0"), Ask.ACT, GONE) == Done()


@pytest.mark.parametrize("tool", ["book", "note"])
async def test_an_authors_bug_leaves_the_outcome_unknown_and_tells_its_place_and_not_its_text(
    autojump_clock: MockClock, tool: str
) -> None:
    bench = Bench()
    answer = await bench.send(bench.row(tool), Ask.DO, KeyError("a secret"))
    assert isinstance(answer, Unknown)
    assert answer.why.startswith("KeyError at test_hands.py:")
    assert "secret" not in answer.why


async def test_several_errors_at_once_leave_the_outcome_unknown(autojump_clock: MockClock) -> None:
    bench = Bench()
    assert isinstance(await bench.send(bench.row(), Ask.DO, ExceptionGroup("", [REFUSED, REFUSED])), Unknown)


async def test_a_request_that_takes_too_long_is_unknown_at_its_own_timeout(autojump_clock: MockClock) -> None:
    bench = Bench()
    bench.world.delay = 60.0
    row = bench.row()
    row = replace(row, traits=replace(row.traits, timeout=2.0))
    assert await bench.send(row, Ask.DO) == Unknown("book gave no answer within 2 s")
    assert trio.current_time() - bench.began == pytest.approx(2.0)


async def test_a_blocking_function_that_takes_too_long_is_unknown(autojump_clock: MockClock) -> None:
    bench = Bench(Inline(delay=60.0))
    assert await bench.send(bench.row("note"), Ask.DO) == Unknown("note gave no answer within 10 s")
    assert len(bench.world.asked) == 1


async def test_a_function_that_no_thread_took_was_not_sent_and_never_runs() -> None:
    class Full(Threads):
        """Takes the work, gives up on it, and runs it later all the same."""

        async def __call__(self, fn: Any, *, timeout: float, stage: str) -> Any:
            self.work = fn
            raise ProviderError(stage, "8 threads hang in their engines")

    offload = Full()
    bench = Bench(offload)
    assert await bench.send(bench.row("note"), Ask.DO) == NotSent("no thread was free to send it")
    offload.work()
    assert bench.world.asked == []


async def test_cancelled_it_says_nothing(autojump_clock: MockClock) -> None:
    bench = Bench()
    bench.world.delay = 5.0
    with trio.move_on_after(1.0) as scope:
        await bench.send(bench.row(), Ask.DO)
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("there", Found.THERE),
        ("confirmed", Found.CONFIRMED),
        ("absent", Found.ABSENT),
        ({"status": "there", "more": 1}, Found.THERE),
    ],
)
async def test_what_became_of_an_effect_is_said_in_a_word(autojump_clock: MockClock, said: Any, answer: Found) -> None:
    bench = Bench()
    assert await bench.send(bench.row(), Ask.STATUS, said) is answer


@pytest.mark.parametrize("said", [None, "pending", {"state": "there"}, 7, True, ["there"]])
async def test_any_other_word_is_unknown(autojump_clock: MockClock, said: Any) -> None:
    bench = Bench()
    assert isinstance(await bench.send(bench.row(), Ask.STATUS, said), Unknown)


async def test_a_take_back_is_there_where_what_it_undoes_is_absent(autojump_clock: MockClock) -> None:
    bench = Bench()
    row = bench.row(kind=Kind.TAKE_BACK, of="r0")
    assert await bench.send(row, Ask.STATUS, "confirmed") is Found.ABSENT
    assert await bench.send(row, Ask.STATUS, "absent") is Found.THERE


async def test_what_the_flow_has_no_more_is_unknown(autojump_clock: MockClock) -> None:
    bench = Bench()
    gone = replace(bench.row(), tool="book_by_fax")
    assert await bench.send(gone, Ask.UNDO) == Unknown("the flow has no tool 'book_by_fax' that could cancel anything")
    assert await bench.send(bench.row("note"), Ask.STATUS) == Unknown("the tool 'note' has no status any more")
    changed = replace(bench.row(), args='{"day": "2026-11-24"}')
    assert isinstance(await bench.send(changed, Ask.DO), Unknown)
    assert bench.world.asked == []


async def test_a_tool_that_reads_has_no_hands() -> None:
    hands = FlowHands(load("receptionist"), Inline(), lambda: EPOCH)
    assert isinstance(await hands.send(Row("r1", "c1", 0, "free_times", Kind.COMPENSABLE), Ask.DO), Unknown)
