"""The transport: what stands on the wire before and after a release, and the order in which things are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from agentd.actors.kit import Mailbox
from agentd.actors.transport import MediaCounts, Order, SocketClosed, Transport
from agentd.audio.recording import Unrecorded
from agentd.audio.ring import Ring
from agentd.carriers.sautikit.media import Dialect, SautikitMedia
from agentd.messages import (
    Audible,
    Audio,
    Held,
    Hold,
    MediaStopped,
    NewEpoch,
    PlaybackBegan,
    Release,
    Reply,
    ReplyEnd,
    ReplyHeard,
    Resume,
    Segment,
    SegmentHeard,
    Stopped,
    TellingCut,
    TellingDue,
    TellingPlayed,
)

RATE = 8000
METADATA = "what our document said"
REPLY = Reply(1, 0)
BEFORE = Segment(REPLY, 0, "One moment.")
TOLD = Segment(REPLY, 1, "You are booked.", effect="effect1", told_from=14)


class Wire:
    """A media socket: what we sent is in `sent`, what the switch says goes in by `say`."""

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        self._in, self._out = trio.open_memory_channel[str | bytes](64)
        self._in.send_nowait(METADATA)

    async def receive(self) -> str | bytes:
        try:
            return await self._out.receive()
        except trio.EndOfChannel:
            raise SocketClosed("hangup") from None

    async def send(self, data: str | bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(data)

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()

    async def close(self, code: int) -> None:
        await trio.lowlevel.checkpoint()

    def say(self, document: dict[str, Any]) -> None:
        self._in.send_nowait(json.dumps(document))

    def hang_up(self) -> None:
        self._in.close()

    def samples(self) -> int:
        return sum(len(data) for data in self.sent if isinstance(data, bytes)) // 2

    def texts(self) -> list[Any]:
        return [json.loads(data) for data in self.sent if isinstance(data, str)]


class Leg:
    """A transport at a wire, and the conductor's ends of its mailboxes."""

    def __init__(self, dialect: Dialect, size: int) -> None:
        self.wire = Wire()
        self.orders: Mailbox[Order] = Mailbox(lambda: None)
        self.report: Mailbox[object] = Mailbox(lambda: None, size)
        self.audio, audio = trio.open_memory_channel[Audio | ReplyEnd](16)
        codec = SautikitMedia(RATE, dialect, channels="mono")
        ring = Ring(RATE, lambda: None)
        counts = MediaCounts(late=lambda _: None)
        self.transport = Transport(self.wire, codec, ring, self.orders, audio, self.report, Unrecorded(), counts, METADATA)

    def speak(self, segment: Segment, seconds: float) -> None:
        self.audio.send_nowait(Audio(segment, b"\1\1" * int(seconds * RATE)))
        self.audio.send_nowait(Audio(segment, b"", last=True))

    def answer(self, mark: str) -> None:
        self.wire.say({"type": "mark", "data": {"name": mark, "event": "playout"}})

    def told(self) -> list[Any]:
        reports: list[Any] = []
        while (report := self.report.receive_nowait()) is not None:
            reports.append(report)
        return reports


@asynccontextmanager
async def media(dialect: Dialect = "jambonz", size: int = 64) -> AsyncIterator[Leg]:
    leg = Leg(dialect, size)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leg.transport.run, 0)
        yield leg
        nursery.cancel_scope.cancel()


async def test_a_telling_waits_on_our_side_of_the_wire_for_its_release(autojump_clock: trio.testing.MockClock) -> None:
    async with media() as leg:
        leg.speak(BEFORE, 0.5)
        leg.speak(TOLD, 0.5)
        leg.audio.send_nowait(ReplyEnd(REPLY, 2))
        await trio.sleep(3)
        assert leg.wire.samples() == 0.5 * RATE
        assert [type(report) for report in leg.told() if not isinstance(report, PlaybackBegan)][-1] is SegmentHeard
        leg.orders.send_nowait(Release(TOLD.key))
        await trio.sleep(0.5)
        assert leg.wire.samples() >= 1.0 * RATE
        leg.answer("1.0.1.0.t")
        await trio.sleep(0.5)
        assert [type(report) for report in leg.told()][:3] == [PlaybackBegan, TellingPlayed, SegmentHeard]


async def test_a_mark_follows_the_audio_that_it_stands_behind(autojump_clock: trio.testing.MockClock) -> None:
    async with media() as leg:
        leg.speak(BEFORE, 0.1)
        await trio.sleep(1)
        assert [type(data) for data in leg.wire.sent] == [bytes, bytes, bytes, str]
        assert leg.wire.texts() == [{"type": "mark", "data": {"name": "1.0.0.0"}}]
        assert leg.transport.counts.frames_out == 3


async def test_a_dialect_whose_marks_are_not_documented_gets_none_and_is_believed_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with media("sautikit") as leg:
        leg.speak(TOLD, 1.0)
        await trio.sleep(0.01)
        leg.orders.send_nowait(Release(TOLD.key))
        await trio.sleep(0.5)
        leg.answer("1.0.0.0.t")
        leg.answer("1.0.1.0.t")
        await trio.sleep(0.1)
        assert not [report for report in leg.told() if isinstance(report, TellingPlayed)]
        await trio.sleep(1)
        assert [report for report in leg.told() if isinstance(report, TellingPlayed)]
        assert leg.wire.texts() == []


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_release_given_while_the_reply_is_held_counts(resumed: bool, autojump_clock: trio.testing.MockClock) -> None:
    async with media() as leg:
        leg.speak(TOLD, 0.5)
        await trio.sleep(0.1)
        leg.orders.send_nowait(Hold(REPLY))
        leg.orders.send_nowait(Release(TOLD.key))
        if resumed:
            leg.orders.send_nowait(Resume(REPLY))
        await trio.sleep(1)
        assert leg.wire.samples() == (0.5 * RATE if resumed else 0)


async def test_what_was_found_out_first_is_told_first_whoever_found_it_out(autojump_clock: trio.testing.MockClock) -> None:
    async with media("sautikit", size=1) as leg:
        leg.speak(TOLD, 0.4)
        leg.audio.send_nowait(ReplyEnd(REPLY, 1))
        await trio.sleep(0.01)
        leg.orders.send_nowait(Release(TOLD.key))
        for _ in range(40):
            await trio.sleep(0.01)
            leg.told()
        # The writer has more to tell than the mailbox takes, and waits; then the reply is held and dropped.
        await trio.sleep(1)
        leg.orders.send_nowait(Hold(REPLY))
        leg.orders.send_nowait(NewEpoch(1))
        await trio.sleep(1)
        kinds: list[type] = []
        with trio.move_on_after(1):
            while True:
                kinds.append(type(await leg.report.receive()))
        assert kinds == [TellingPlayed, SegmentHeard, ReplyHeard, Held, Stopped]


@pytest.mark.parametrize("size", [1, 64])
async def test_when_the_line_goes_each_telling_that_was_begun_has_its_fate_first(
    size: int, autojump_clock: trio.testing.MockClock
) -> None:
    async with media("jambonz", size) as leg:
        leg.speak(BEFORE, 0.2)
        leg.speak(TOLD, 0.5)
        await trio.sleep(0.01)
        leg.orders.send_nowait(Release(TOLD.key))
        await trio.sleep(0.4)
        leg.wire.hang_up()
        await trio.sleep(0.1)
        reports: list[Any] = []
        with trio.move_on_after(5):
            while not reports or not isinstance(reports[-1], MediaStopped):
                reports.append(await leg.report.receive())
        kinds = [type(report) for report in reports if not isinstance(report, Audible | SegmentHeard)]
        assert kinds == [PlaybackBegan, TellingDue, TellingCut, Stopped, MediaStopped]
