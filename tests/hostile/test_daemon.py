"""The whole daemon on real sockets, with stub engines: who gets in, what each end leaves behind, and that others go on."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection

from agentd import limits
from tests.fakes import engines
from tests.fakes.switch import ask, daemon, line, stream_url
from tests.fakes.switch import socket as socket_to


def calls(out: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(out.glob("*/call.json"))]


async def settled(out: Path, count: int = 1) -> list[dict[str, Any]]:
    """The records of `count` calls, once they are closed."""
    with trio.fail_after(10):
        while len(calls(out)) < count:
            await trio.sleep(0.02)
    return calls(out)


async def refused(url: str) -> int:
    """The status with which a media socket is refused."""
    with pytest.raises(BaseException) as caught:
        async with socket_to(url):
            pass
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConnectionRejected)
    return int(error.status_code)


async def close_code(socket: WebSocketConnection) -> int | None:
    """Read to the socket's end; the code that it was closed with."""
    try:
        with trio.fail_after(10):
            while True:
                await socket.get_message()
    except ConnectionClosed as closed:
        return None if closed.reason is None else int(closed.reason.code)


async def test_a_call_is_answered_heard_and_written_down(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.sleep(0.4)
            caller.say("good morning to you")
            await caller.hears("you")
            await trio.sleep(0.3)
        (record,) = await settled(tmp_path)
    assert record["outcome"] == "hangup"
    folder = next(tmp_path.glob("*/call.json")).parent
    lines = [json.loads(text) for text in (folder / "transcript.jsonl").read_text().splitlines()]
    assert [(entry["who"], entry["text"]) for entry in lines][:2] == [("agent", "welcome"), ("caller", "good morning to you")]
    spans = [json.loads(text) for text in (folder / "spans.jsonl").read_text().splitlines()]
    assert {span["trace_id"] for span in spans} == {record["trace_id"]}


async def test_a_socket_without_a_valid_token_starts_no_engine(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        media = url.replace("http", "ws") + "/media/sautikit/"
        engines.STARTED.clear()
        assert await refused(media + "nonsense") == 403
        assert await refused(url.replace("http", "ws") + "/media/other/x") == 404
        good = await stream_url(url, "c1")
        assert await refused(good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1]) == 403
        assert engines.STARTED == []


async def test_a_token_opens_one_socket_and_no_second(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        media = await stream_url(url, "c1")
        async with line(media) as caller:
            await caller.hears("welcome")
            assert await refused(media) == 403
            caller.say("still here with you")
            await caller.hears("still")


async def test_a_call_that_was_handed_over_is_dialled_when_the_carrier_asks_again(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.sleep(0.4)
            caller.say("please wants_human")
            with trio.fail_after(10):
                await caller.closed.wait()
            assert caller.code == 1000
            status, verbs = await ask(url, "c1", "in-progress")
        assert status == 200
        assert [verb.tag for verb in verbs] == ["Say", "Dial", "Redirect"]
        (record,) = await settled(tmp_path)
        assert record["outcome"] == "transferred"
        handoff = json.loads(next(tmp_path.glob("*/handoff.json")).read_text())
    assert handoff["who"]["number"] == "+15550123"
    assert handoff["to"] == {"target": "front_desk", "number": "+15550199"}
    assert handoff["last_words"][1] == {"who": "caller", "text": "please wants_human", "cut": False}


async def test_after_the_goodbye_the_carrier_is_told_to_hang_up(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.sleep(0.4)
            caller.say("please wants_end")
            with trio.fail_after(10):
                await caller.closed.wait()
            _, verbs = await ask(url, "c1", "in-progress")
        assert [verb.tag for verb in verbs] == ["Hangup"]
        (record,) = await settled(tmp_path)
    assert record["outcome"] == "completed"


async def test_a_full_daemon_says_so_and_takes_the_next_call_when_a_place_is_free(tmp_path: Path) -> None:
    async with daemon(tmp_path, calls__limit=1) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            _, verbs = await ask(url, "c2")
            assert [verb.tag for verb in verbs] == ["Say", "Hangup"]
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"{url}/readyz")).status_code == 503
        await settled(tmp_path)
        await stream_url(url, "c3")


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        ("x" * (65 * 1024), "oversize"),
        (bytes(limits.MAX_MEDIA_MESSAGE + 2), "oversize"),
    ],
)
async def test_nonsense_ends_its_own_call_with_a_name_and_no_other(tmp_path: Path, sent: str | bytes, outcome: str) -> None:
    async with daemon(tmp_path) as (url, _), line(await stream_url(url, "good")) as other:
        await other.hears("welcome")
        async with socket_to(await stream_url(url, "bad")) as socket:
            await socket.send_message(bytes(3200))
            await socket.send_message(sent)
            await close_code(socket)
        (record,) = await settled(tmp_path)
        assert record["outcome"] == outcome
        other.say("are you still there")
        await other.hears("still")


async def test_garbage_text_and_odd_frames_disturb_nobody(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _), line(await stream_url(url, "c1")) as caller:
        await caller.hears("welcome")
        for text in ("", "{", '{"event":', '{"type":"playDone"}{"x":1}', "\x00\x01", "[]" * 50):
            await caller.socket.send_message(text)
        await trio.sleep(0.3)
        caller.say("hello once more friend")
        await caller.hears("once")


async def test_metadata_that_is_not_ours_ends_the_call(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with socket_to(await stream_url(url, "c1")) as socket:
            await socket.send_message("somebody else's token")
            assert await close_code(socket) == 1008
        (record,) = await settled(tmp_path)
    assert record["outcome"] == "foreign_metadata"


@pytest.mark.slow
async def test_a_socket_that_never_sends_audio_is_closed_and_named(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with socket_to(await stream_url(url, "c1")) as socket:
            with pytest.raises(ConnectionClosed), trio.fail_after(limits.MEDIA_START_S + 3):
                await socket.get_message()
        (record,) = await settled(tmp_path)
    assert record["outcome"] == "no_audio"


async def test_a_caller_who_drops_the_connection_leaves_a_whole_record(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.aclose_forcefully(caller.socket._stream)
            (record,) = await settled(tmp_path)
        assert record["outcome"] in {"hangup", "lost"}


@pytest.mark.slow
async def test_term_refuses_new_calls_and_lets_live_ones_finish_up_to_the_deadline(tmp_path: Path) -> None:
    async with daemon(tmp_path, server__drain_s=6.0) as (url, _), line(await stream_url(url, "c1")) as caller:
        await caller.hears("welcome")
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep(0.1)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/readyz")).status_code == 503
        _, verbs = await ask(url, "c2")
        assert [verb.tag for verb in verbs] == ["Say", "Hangup"]
        caller.say("i am not done yet")
        await caller.hears("done")
        with trio.fail_after(20):
            await caller.closed.wait()
        assert "sorry," in caller.words()
        (record,) = await settled(tmp_path)
        assert record["outcome"] == "drained"
