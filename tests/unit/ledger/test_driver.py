"""The driver: what is on record comes first, and what cannot be put on record has not happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from agentd.actors.kit import open_jobs
from agentd.errors import Fenced, LedgerDown
from agentd.ledger import driver
from agentd.ledger.book import Book
from agentd.ledger.driver import Driver
from agentd.ledger.events import (
    Answer,
    Ask,
    Begin,
    Done,
    Ended,
    Event,
    Played,
    Proposed,
    Release,
    Retracted,
    Says,
    Tell,
    Unknown,
    Words,
)
from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict
from agentd.messages import Mode, Reply


@dataclass
class Paper:
    """A record whose disk fails while `error` is set; each write takes `delay` seconds."""

    log: list[str]
    error: Exception | None = None
    delay: float = 0.0
    sends: bool | LedgerDown = True
    rows: dict[str, Row] = field(default_factory=dict)

    async def write(self, rows: Sequence[Row]) -> None:
        await trio.sleep(self.delay)
        if self.error:
            raise self.error
        self.rows |= {row.id: row for row in rows}
        self.log.append("write " + " ".join(f"{row.id}:{row.fact}" for row in rows))

    async def end(self) -> None:
        self.log.append("end")

    async def may_send(self, seconds: float) -> bool:
        if isinstance(self.sends, LedgerDown):
            raise self.sends
        return self.sends


@dataclass
class Hands:
    """Answer `answer` after `delay` seconds."""

    log: list[str]
    answer: Answer = field(default_factory=Done)
    delay: float = 0.5

    async def send(self, row: Row, ask: Ask) -> Answer:
        self.log.append(f"send {row.id} {ask}")
        await trio.sleep(self.delay)
        self.log.append(f"answer {row.id} {ask}")
        return self.answer


@dataclass
class Rig:
    """A driver with its record and hands; `log` is what they did, `told` what the driver reported."""

    log: list[str] = field(default_factory=list)
    told: list[driver.Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paper, self.hands = Paper(self.log), Hands(self.log)

    async def report(self, report: driver.Report) -> None:
        self.told.append(report)

    async def run(self, *events: Event | driver.Reached, seconds: float = 5.0) -> Book:
        async with open_jobs() as jobs:
            self.driver = Driver(Book("c"), self.paper, self.hands, jobs.start, self.report)
            jobs.start(self.driver.run)
            await self.post(*events, seconds=seconds)
        return self.driver.book

    async def post(self, *events: Event | driver.Reached, seconds: float = 5.0) -> None:
        for event in events:
            self.driver.post(event)
        await trio.sleep(seconds)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def book(name: str = "r", use: str = "u", resource: str = "", kind: Kind = Kind.COMPENSABLE) -> Proposed:
    return Proposed(name, use, name, kind, Traits(honours_key=True, undo=True, timeout=2.0), identity=name, resource=resource)


async def test_a_row_is_on_record_before_its_request_leaves(rig: Rig, autojump_clock: MockClock) -> None:
    rig.paper.delay = 0.1
    await rig.run(book())
    assert rig.log == ["write r:sent", "send r do", "answer r do", "write r:there"]


async def test_a_telling_is_on_record_before_it_is_released(rig: Rig, autojump_clock: MockClock) -> None:
    async with open_jobs() as jobs:
        rig.driver = Driver(Book("c"), rig.paper, rig.hands, jobs.start, rig.report)
        jobs.start(rig.driver.run)
        await rig.post(book())
        rig.paper.error = LedgerDown("disk full")
        await rig.post(Begin("r", Mode.TELL, "1.0.0"), seconds=0.05)
        assert driver.Down("the telling cannot be put on record", "1.0.0") in rig.told
        assert not [report for report in rig.told if isinstance(report, Release)]
        assert rig.driver.book.rows[0].told is Told.NO
        rig.paper.error = None
        await rig.post(Begin("r", Mode.TELL, "1.0.1"))
        assert rig.paper.rows["r"].told is Told.TELLING
        assert Release("r", "1.0.1") in rig.told


async def test_nothing_runs_unlogged(rig: Rig, autojump_clock: MockClock) -> None:
    rig.paper.error = LedgerDown("disk full")
    await rig.run(book())
    assert not rig.log
    assert [tell.status for tell in rig.told if isinstance(tell, Tell)] == ["refused"]
    assert rig.driver.book.rows == ()


async def test_what_must_be_known_waits_for_the_record_in_its_order(rig: Rig, autojump_clock: MockClock) -> None:
    async with open_jobs() as jobs:
        rig.driver = Driver(Book("c"), rig.paper, rig.hands, jobs.start, rig.report)
        jobs.start(rig.driver.run)
        await rig.post(book())
        await rig.post(Begin("r", Mode.TELL, "1.0.0"), Played("r", "1.0.0", 100), seconds=0.1)
        rig.paper.error = LedgerDown("locked")
        await rig.post(Words(Says.RETRACT, 50), driver.Reached(Reply(1, 0)), Ended(), seconds=3.0)
        assert driver.Reached(Reply(1, 0)) in rig.told, "the call goes on"
        assert rig.driver.book.rows[0].verdict is Verdict.OPEN
        assert rig.log[-1] != "send r undo"
        rig.paper.error = None
        await trio.sleep(3.0)
        assert (rig.driver.book.rows[0].why, rig.driver.book.rows[0].fact) == ("retracted", Fact.ABSENT)
        assert rig.driver.book.over


async def test_an_answer_that_could_not_be_written_is_written_later(rig: Rig, autojump_clock: MockClock) -> None:
    async with open_jobs() as jobs:
        rig.driver = Driver(Book("c"), rig.paper, rig.hands, jobs.start, rig.report)
        jobs.start(rig.driver.run)
        await rig.post(book(), seconds=0.2)
        rig.paper.error = LedgerDown("I/O error")
        await trio.sleep(1.0)
        assert rig.paper.rows["r"].fact is Fact.SENT
        rig.paper.error = None
        await trio.sleep(2.0)
        assert rig.paper.rows["r"].fact is Fact.THERE


async def test_whoever_lost_its_rows_does_nothing_any_more(rig: Rig, autojump_clock: MockClock) -> None:
    async with open_jobs() as jobs:
        rig.driver = Driver(Book("c"), rig.paper, rig.hands, jobs.start, rig.report)
        jobs.start(rig.driver.run)
        await rig.post(book())
        done = len(rig.log)
        rig.paper.error = Fenced("another owner")
        await rig.post(Words(Says.RETRACT, 0))
        rig.paper.error = None
        await rig.post(book("s", "v"), Ended())
        assert rig.log[done:] == []
        assert rig.driver.fenced


async def test_requests_on_one_resource_go_one_at_a_time_in_row_order(rig: Rig, autojump_clock: MockClock) -> None:
    await rig.run(book("a", "1", "calendar"), book("b", "2", "calendar"), book("x", "3", "other"))
    sent = [line for line in rig.log if not line.startswith("write")]
    assert sent.index("answer a do") < sent.index("send b do")
    assert sent.index("send x do") < sent.index("answer a do")


async def test_who_waits_too_long_for_a_resource_is_told_busy(rig: Rig, autojump_clock: MockClock) -> None:
    rig.hands.delay = 30.0
    await rig.run(book("a", "1", "calendar"), book("b", "2", "calendar"))
    assert [(tell.use, tell.status, tell.why) for tell in rig.told if isinstance(tell, Tell)] == [("2", "refused", "busy")]
    assert "send b do" not in rig.log


async def test_what_was_let_go_while_it_waited_for_a_resource_is_never_sent(rig: Rig, autojump_clock: MockClock) -> None:
    after = await rig.run(book("a", "1", "calendar"), book("b", "2", "calendar"), Retracted("b"))
    assert [line for line in rig.log if line.startswith("send")] == ["send a do"]
    assert [row.fact for row in after.rows] == [Fact.THERE, Fact.ABSENT]


@pytest.mark.parametrize("sends", [False, LedgerDown("no answer within 2 s")])
async def test_a_process_that_may_lose_its_rows_sends_nothing(
    rig: Rig, autojump_clock: MockClock, sends: bool | LedgerDown
) -> None:
    rig.paper.sends = sends
    await rig.run(book())
    assert not [line for line in rig.log if line.startswith("send")]


async def test_what_the_lease_did_not_let_leave_is_known_not_to_have_left(rig: Rig, autojump_clock: MockClock) -> None:
    rig.paper.sends = LedgerDown("the server is gone")
    after = await rig.run(book())
    assert [(tell.status, tell.why) for tell in rig.told if isinstance(tell, Tell)] == [("refused", "the server is gone")]
    assert [(row.fact, row.verdict) for row in after.rows] == [(Fact.ABSENT, Verdict.DROP)]


async def test_a_finished_driver_returns_when_only_humans_are_waited_for(rig: Rig, autojump_clock: MockClock) -> None:
    rig.hands.answer = Unknown("no answer")
    over = trio.Event()
    async with open_jobs() as jobs:
        rig.driver = Driver(Book("c"), rig.paper, rig.hands, jobs.start, rig.report)

        async def run() -> None:
            await rig.driver.run()
            over.set()

        jobs.start(run)
        await rig.post(Proposed("r", "u", "r", Kind.COMPENSABLE, Traits(undo=True)), seconds=0.1)
        await rig.post(Ended(), seconds=0.0)
        rig.driver.finish()
        with trio.fail_after(60):
            await over.wait()
        assert rig.driver.book.rows[0].stuck


async def test_what_a_dead_owner_left_is_taken_up_with_the_same_key(rig: Rig, autojump_clock: MockClock) -> None:
    left = Row("r", "c", 0, "book", Kind.COMPENSABLE, Traits(honours_key=True, undo=True), fact=Fact.SENT, sends=1, tries=1)
    async with open_jobs() as jobs:
        rig.driver = Driver(Book("c", (left,)), rig.paper, rig.hands, jobs.start, rig.report)
        await rig.driver.recover(1000.0)
        rig.driver.finish()
        with trio.fail_after(60):
            await rig.driver.run()
    assert [line for line in rig.log if line.startswith("send")] == ["send r do", "send r undo"]
    assert rig.paper.rows["r"].fact is Fact.ABSENT
