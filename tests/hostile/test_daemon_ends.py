"""The whole daemon on real sockets, where something ends that should not: places, streams, engines, disks, and the process."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import struct
import urllib.parse
import wave
from pathlib import Path

import httpx
import pytest
import trio

from agentd import daemon as daemon_module
from agentd.simulate.call import place_call
from agentd.simulate.scenario import load as load_scenario
from tests.fakes import speech
from tests.fakes.switch import RATE, SECRET, ask, daemon, line, stream_url
from tests.hostile.test_daemon import refused, settled

PARROT = "tests.fakes.flow"
LONG = "alpha bravo charlie delta echo foxtrot golf hotel india juliet"


async def ready(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{url}/readyz")).status_code


async def until_ready(url: str) -> None:
    with trio.fail_after(10):
        while await ready(url) != 200:
            await trio.sleep(0.02)


# ── Places ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def reset_after_the_handshake(media_url: str) -> None:
    """Ask for the stream's socket, and be gone before the answer."""
    at = urllib.parse.urlsplit(media_url)
    with socket.create_connection((at.hostname, at.port)) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.sendall(
            f"GET {at.path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: audio.drachtio.org\r\n\r\n".encode()
        )


async def test_peers_that_vanish_in_the_handshake_leak_no_place(tmp_path: Path) -> None:
    async with daemon(tmp_path, calls__limit=1) as (url, running):
        for number in range(5):
            media = await stream_url(url, f"c{number}")
            await trio.to_thread.run_sync(reset_after_the_handshake, media)
            await trio.sleep(0.05)
            await ask(url, f"c{number}", "completed")
            await until_ready(url)
        async with line(await stream_url(url, "last")) as caller:
            await caller.hears("welcome")
        await until_ready(url)
        assert not running._desk.busy


async def test_the_carrier_s_end_of_a_call_frees_the_place_of_a_stream_that_never_came(tmp_path: Path) -> None:
    async with daemon(tmp_path, calls__limit=1) as (url, _):
        await stream_url(url, "c1")
        assert await ready(url) == 503
        await ask(url, "c1", "completed")
        assert await ready(url) == 200


async def test_of_many_calls_at_once_exactly_as_many_come_in_as_there_are_places(tmp_path: Path) -> None:
    verbs: list[str] = []
    async with daemon(tmp_path, calls__limit=7) as (url, _):

        async def call(number: int) -> None:
            verbs.append((await ask(url, f"c{number}"))[1][0].tag)

        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(call, number)
    assert sorted(verbs) == ["Say"] * 23 + ["Stream"] * 7


async def test_a_number_that_no_flow_answers_hears_so_and_takes_no_place(tmp_path: Path) -> None:
    async with daemon(tmp_path, calls__limit=1, numbers={"+15550100": PARROT}) as (url, _):
        _, verbs = await ask(url, "c1", to="+15550999")
        assert [(verb.tag, verb.text) for verb in verbs] == [("Say", "This number is not in service."), ("Hangup", None)]
        async with line(await stream_url(url, "c2")) as caller:
            await caller.hears("welcome")


# ── Streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_whose_connection_broke_gets_one_more_stream_while_the_first_still_closes(tmp_path: Path) -> None:
    async with daemon(tmp_path, calls__limit=1) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.aclose_forcefully(caller.socket._stream)
            async with line(await stream_url(url, "c1", "in-progress")) as again:
                await again.hears("welcome")
                await trio.aclose_forcefully(again.socket._stream)
        records = await settled(tmp_path, 2)
        # Another status than before: the same webhook in the same second is a replay, and gets the first answer again.
        _, verbs = await ask(url, "c1", "answered")
        assert [verb.tag for verb in verbs] == ["Hangup"]
        assert {record["outcome"] for record in records} <= {"hangup", "lost"}
        assert await ready(url) == 200


async def test_a_live_call_is_not_disturbed_by_a_webhook_that_asks_and_never_streams(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _), line(await stream_url(url, "c1")) as caller:
        await caller.hears("welcome")
        await stream_url(url, "c1", "answered")
        await trio.sleep(0.3)
        caller.say("please wants_human")
        with trio.fail_after(10):
            await caller.closed.wait()
        _, verbs = await ask(url, "c1", "in-progress")
        assert [verb.tag for verb in verbs] == ["Say", "Dial", "Redirect"]


def write_wav(path: Path, text: str) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(speech.speak(text, RATE))


@pytest.mark.slow
async def test_a_jambonz_switch_clears_what_it_holds_and_hears_no_more_of_it(tmp_path: Path) -> None:
    write_wav(tmp_path / "long.wav", LONG)
    write_wav(tmp_path / "barge.wav", "stop talking now please")
    write_wav(tmp_path / "person.wav", "please wants_human")
    (tmp_path / "jambonz.toml").write_text(
        """
        dialect = "jambonz"
        steps = [
            { wait = { quiet_ms = 500 } },
            { say = "long.wav" },
            { barge_in = { file = "barge.wav", after_ms = 1500 } },
            { wait = { quiet_ms = 700 } },
            { say = "person.wav" },
            { silence = 15 },
        ]
        """
    )
    out = tmp_path / "calls"
    shown: list[str] = []
    async with daemon(out, sautikit__dialect="jambonz", sautikit__leg_rate=RATE) as (url, _):
        scenario = load_scenario(str(tmp_path / "jambonz.toml"))
        with trio.fail_after(60):
            report = await place_call(scenario, base_url=url, secret=SECRET, out=None, show=shown.append)
        (record,) = await settled(out)
    assert (report.outcome, report.ignored, report.notes) == ("completed", {}, ()), shown
    assert (record["outcome"], report.dialled) == ("transferred", "+15550199")
    (interruption,) = [each for each in report.figures.interruptions if each.kind == "barge_in"]
    # The onset setting is 200 ms and the switch holds 160 ms: without killAudio these would be heard too.
    assert interruption.silence is not None
    assert interruption.silence < 0.36
    heard = [word for _, word in speech.words(report.recording.agent.tobytes())]
    first, second = heard.index("you"), heard.index("you", heard.index("you") + 1)
    told = heard[first:second]
    assert told == ["you", "said", *LONG.split()][: len(told)]
    assert "juliet" not in told
    assert heard[second : second + 6] == ["you", "said", "stop", "talking", "now", "please"]


# ── Engines ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["recognizer", "thinker", "voice"])
async def test_an_engine_that_crashes_in_every_call_disturbs_no_other(tmp_path: Path, stage: str) -> None:
    engine = {f"engines__{stage}": (f"tests.fakes.engines:brittle_{stage}",)}
    async with daemon(tmp_path, **engine) as (url, _), line(await stream_url(url, "good")) as other:
        await other.hears("welcome")
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(call_that_crashes, await stream_url(url, f"bad{number}"))
            for word in ("one", "two", "three"):
                other.say(f"say {word}")
                await other.hears(word)
                await trio.sleep(0.2)
        records = await settled(tmp_path, 3)
        assert [record["outcome"] for record in records] == ["transferred"] * 3
        assert {json.loads(path.read_text())["why"] for path in tmp_path.glob("*/handoff.json")} == {"failed"}
        other.say("still there")
        await other.hears("there")


async def call_that_crashes(media_url: str) -> None:
    """Say what breaks the engine; the agent apologises in the words that were spoken at load, and lets go."""
    async with line(media_url) as caller:
        await caller.hears("welcome")
        await trio.sleep(0.3)
        caller.say("please crash for me")
        with trio.fail_after(15):
            await caller.closed.wait()
        assert " ".join(caller.words()) == "welcome I am sorry, something went wrong on my side."


# ── Disks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_goes_on_though_nothing_of_it_can_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "calls"
    async with daemon(out, calls__recording="on") as (url, running):
        shutil.rmtree(out)
        out.write_text("no folder any more")
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.sleep(0.4)
            caller.say("please wants_human")
            with trio.fail_after(10):
                await caller.closed.wait()
            _, verbs = await ask(url, "c1", "in-progress")
            assert [verb.tag for verb in verbs] == ["Say", "Dial", "Redirect"]
        await until_ready(url)
        with trio.fail_after(5):
            while running._desk.taken:
                await trio.sleep(0.02)
    assert "the record of call" in caplog.text


async def test_a_folder_that_cannot_be_read_stops_no_daemon(tmp_path: Path, caplog: pytest.LogCaptureFixture,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(daemon_module, "PURGE_S", 0.05)
    out = tmp_path / "calls"
    async with daemon(out) as (url, _):
        shutil.rmtree(out)
        out.write_text("no folder any more")
        await trio.sleep(0.3)
        assert await ready(url) == 200
    assert "calls are kept beyond their retention" in caplog.text


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_token_and_no_secret_is_ever_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "trio-websocket", "agentd"):
        caplog.set_level(logging.DEBUG, logger=name)
    brittle = {"engines__voice": ("tests.fakes.engines:brittle_voice",)}
    async with daemon(tmp_path, **brittle) as (url, _):
        media = await stream_url(url, "c1")
        async with line(media) as caller:
            await caller.hears("welcome")
            assert await refused(media) == 403
            caller.say("please crash for me")
            await trio.sleep(1)
    token = media.rsplit("/", 1)[1]
    kept = "\n".join(path.read_text() for path in tmp_path.rglob("*.json*"))
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "hpack")))
    for secret in (token, token.split(".")[1], SECRET):
        assert secret not in ours
        assert secret not in kept


# ── The process ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def ended(ends: list[bool], within: float) -> bool:
    with trio.fail_after(within):
        while not ends:
            await trio.sleep(0.01)
    return ends[0]


async def test_an_idle_daemon_ends_at_once_when_told_to(tmp_path: Path) -> None:
    ends: list[bool] = []
    async with daemon(tmp_path, ends, server__drain_s=60.0):
        os.kill(os.getpid(), signal.SIGTERM)
        assert await ended(ends, 1.0)


async def test_told_twice_it_cuts_its_calls_and_closes_their_records(tmp_path: Path) -> None:
    ends: list[bool] = []
    async with daemon(tmp_path, ends, server__drain_s=60.0) as (url, _), line(await stream_url(url, "c1")) as caller:
        await caller.hears("welcome")
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert not await ended(ends, 5.0)
        (record,) = await settled(tmp_path)
        assert record["outcome"] == "cut"


async def test_a_daemon_that_drains_waits_for_the_carrier_to_ask_what_comes_next(tmp_path: Path) -> None:
    ends: list[bool] = []
    async with daemon(tmp_path, ends, server__drain_s=60.0) as (url, _), line(await stream_url(url, "c1")) as caller:
        await caller.hears("welcome")
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep(0.4)
        caller.say("please wants_human")
        with trio.fail_after(10):
            await caller.closed.wait()
        await trio.sleep(0.5)
        _, verbs = await ask(url, "c1", "in-progress")
        assert [verb.tag for verb in verbs] == ["Say", "Dial", "Redirect"]
        assert await ended(ends, 3.0)


async def test_a_stream_that_is_expected_when_the_drain_begins_is_let_in(tmp_path: Path) -> None:
    ends: list[bool] = []
    async with daemon(tmp_path, ends, server__drain_s=60.0) as (url, _):
        media = await stream_url(url, "c1")
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep(0.2)
        async with line(media) as caller:
            await caller.hears("welcome")
        assert await ended(ends, 8.0)


async def test_a_stream_that_comes_after_the_drain_s_deadline_says_goodbye(tmp_path: Path) -> None:
    ends: list[bool] = []
    async with daemon(tmp_path, ends, server__drain_s=0.0) as (url, _):
        media = await stream_url(url, "c1")
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep(0.2)
        async with line(media) as caller:
            with trio.fail_after(15):
                await caller.closed.wait()
        (record,) = await settled(tmp_path)
        assert record["outcome"] == "drained"
        assert await ended(ends, 8.0)
