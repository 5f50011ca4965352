from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from agentd.actors.kit import open_jobs
from agentd.actors.transport import SocketClosed
from agentd.testing import speech
from agentd.testing.phone import FRAME, PREBUFFER, RATE, Phone


@asynccontextmanager
async def a_phone() -> AsyncIterator[Phone]:
    async with open_jobs() as jobs:
        phone = Phone(lambda: None)
        jobs.start(phone.run)
        yield phone


async def marks(phone: Phone) -> list[tuple[str, str]]:
    """The marks that were answered so far; audio is passed over."""
    found = []
    with trio.move_on_after(0.001):
        while True:
            if isinstance(data := await phone.receive(), str):
                document = json.loads(data)["data"]
                found.append((document["name"], document["event"]))
    return found


def mark(name: str) -> str:
    return json.dumps({"type": "mark", "data": {"name": name}})


CLEAR = json.dumps({"type": "killAudio"})


async def test_words_are_heard_when_they_are_over(autojump_clock: trio.testing.MockClock) -> None:
    async with a_phone() as phone:
        await phone.send(speech.speak("hello there", RATE))
        whole = speech.size("hello", RATE) / RATE
        await trio.sleep(whole - 0.02)
        assert phone.heard() == []
        await trio.sleep(0.04)
        assert phone.heard() == ["hello"]
        await trio.sleep(1.0)
        assert phone.heard() == ["hello", "there"]


async def test_what_is_cleared_is_not_heard_and_its_marks_say_so(autojump_clock: trio.testing.MockClock) -> None:
    async with a_phone() as phone:
        await phone.send(speech.speak("one two three", RATE))
        await phone.send(mark("end"))
        await trio.sleep(speech.size("one", RATE) / RATE + 0.1)
        assert await marks(phone) == []
        await phone.send(CLEAR)
        assert await marks(phone) == [("end", "cleared")]
        await trio.sleep(1.0)
        assert phone.heard() == ["one"]


async def test_a_mark_is_answered_when_what_came_before_it_was_played(autojump_clock: trio.testing.MockClock) -> None:
    async with a_phone() as phone:
        await phone.send(bytes(10 * FRAME))
        await phone.send(mark("end"))
        await trio.sleep(0.17)
        assert await marks(phone) == []
        await trio.sleep(0.03)
        assert await marks(phone) == [("end", "playout")]


async def test_the_switch_gathers_a_little_before_it_plays(autojump_clock: trio.testing.MockClock) -> None:
    async with a_phone() as phone:
        await phone.send(bytes(PREBUFFER - FRAME))
        await phone.send(mark("end"))
        await trio.sleep(1.0)
        assert await marks(phone) == []
        await phone.send(bytes(FRAME))
        await trio.sleep(0.1)
        assert await marks(phone) == [("end", "playout")]


async def test_what_the_caller_says_goes_out_frame_by_frame(autojump_clock: trio.testing.MockClock) -> None:
    async with a_phone() as phone:
        phone.say("yes please")
        heard = b""
        while phone.speaks:
            data = await phone.receive()
            assert isinstance(data, bytes)
            assert len(data) == FRAME
            heard += data
        assert [word for _, word in speech.words(heard)] == ["yes", "please"]


async def test_a_line_that_is_hung_up_is_a_closed_socket(autojump_clock: trio.testing.MockClock) -> None:
    async with a_phone() as phone:
        phone.hang_up()
        with pytest.raises(SocketClosed):
            await phone.send(b"")
        with pytest.raises(SocketClosed):
            await phone.receive()
