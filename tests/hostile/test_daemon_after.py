"""The whole daemon on real sockets, when a call is over or comes back: who is told of it, and what it remembers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from agentd.errors import LedgerDown
from agentd.ledger.row import Kind
from agentd.ledger.storage.store import Store
from agentd.outbox import sign
from agentd.records import CallRecord
from agentd.simulate.call import place_call
from agentd.simulate.scenario import load
from tests.fakes.receiver import Receiver, receiving
from tests.fakes.switch import SECRET, Line, ask, daemon, line, stream_url
from tests.hostile.test_daemon import settled
from tests.hostile.test_daemon_ends import write_wav

AFTER_SECRET = "another secret of the tests"
DESK: dict[str, Any] = {"engines__thinker": ("rules",), "numbers": {"*": "tests.fakes.front_desk"}}


def told_to(receiver: Receiver) -> dict[str, Any]:
    return {"after__call_url": receiver.url, "after__secret": AFTER_SECRET}


async def taken(receiver: Receiver, count: int = 1) -> list[Any]:
    with trio.fail_after(10):
        while len(receiver.taken) < count:
            await trio.sleep(0.02)
    return list(receiver.taken.values())


# ── Who is told ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_that_is_over_is_told_of_as_its_record_has_it(tmp_path: Path) -> None:
    async with receiving() as receiver, daemon(tmp_path, **told_to(receiver)) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.sleep(0.4)
        (told,) = await taken(receiver)
        (record,) = await settled(tmp_path)
    assert told["type"] == "call"
    assert told["key"] == receiver.posted[0].key == f"{record['id']}.webhook"
    assert told["call"] == {name: value for name, value in record.items() if name != "recording"}
    assert (told["call"]["outcome"], told["call"]["from"], told["call"]["settled"]) == ("hangup", "+15550123", True)
    assert (tmp_path / told["call"]["transcript"]).exists()
    posted = receiver.posted[0]
    at = int(posted.headers["agentd-signature"].partition(",")[0].removeprefix("t="))
    assert abs(at - time.time()) < 60
    assert posted.headers["agentd-signature"] == sign(AFTER_SECRET, posted.body, at)


async def test_without_an_address_a_call_without_effects_costs_the_ledger_nothing(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
        await settled(tmp_path)
    assert kinds(tmp_path) == []


async def test_that_a_call_is_told_of_is_on_record_before_its_call_json_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_record: list[list[str]] = []
    close = CallRecord.close

    def watched(record: CallRecord, *given: Any) -> None:
        on_record.append(kinds(tmp_path))
        close(record, *given)

    monkeypatch.setattr(CallRecord, "close", watched)
    async with receiving() as receiver, daemon(tmp_path, **told_to(receiver)) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
        await settled(tmp_path)
    assert on_record == [[Kind.WEBHOOK.value]]


def kinds(out: Path) -> list[str]:
    """The kinds of all rows that are on the disk."""
    with closing(sqlite3.connect(out / "ledger.sqlite")) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM ledger_rows ORDER BY seq")]


async def test_a_ledger_that_is_down_when_a_call_ends_costs_no_record_and_the_call_is_told_of_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write, down = Store.write, [True]

    def full(store: Store, *given: Any, **more: Any) -> int:
        if down:
            raise LedgerDown("the disk is full")
        return write(store, *given, **more)

    async with receiving() as receiver, daemon(tmp_path, **told_to(receiver)) as (url, _):
        monkeypatch.setattr(Store, "write", full)
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
        (record,) = await settled(tmp_path)
        assert receiver.posted == []
        down.clear()
        (told,) = await taken(receiver)
    assert told["call"]["id"] == record["id"]
    assert f"that call {record['id']} is over is told later, if this process lives: the disk is full" in caplog.text


async def test_a_call_that_is_cut_with_its_daemon_is_told_of_by_the_next_one(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with daemon(tmp_path, **told_to(receiver)) as (url, _), line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep(0.1)
            os.kill(os.getpid(), signal.SIGTERM)
            (record,) = await settled(tmp_path)
        assert (record["outcome"], kinds(tmp_path)) == ("cut", [Kind.WEBHOOK.value])
        async with daemon(tmp_path, **told_to(receiver)):
            (told,) = await taken(receiver)
    assert (told["call"]["id"], told["call"]["outcome"]) == (record["id"], "cut")


# ── A handover that nobody takes ─────────────────────────────────────────────────────────────────────────────────────


async def hand_over(url: str, caller: Line) -> None:
    """Say one's name, and ask for a person."""
    await caller.hears("name")
    await trio.sleep(0.4)
    caller.say("john smith")
    await caller.hears("else")
    await trio.sleep(0.4)
    caller.say("speak to a person")
    with trio.fail_after(10):
        await caller.closed.wait()
    _, verbs = await ask(url, "c1", "in-progress")
    assert [verb.tag for verb in verbs] == ["Say", "Dial", "Redirect"]
    assert verbs[-1].text == f"{url}/sautikit/dialled"


async def test_a_handover_that_nobody_takes_comes_back_and_goes_on_with_what_is_known(tmp_path: Path) -> None:
    async with daemon(tmp_path, **DESK) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await hand_over(url, caller)
        code, verbs = await ask(url, "c1", "in-progress", dial="no-answer")
        assert (code, [verb.tag for verb in verbs]) == (200, ["Stream", "Redirect"])
        async with line(verbs[0].attrib["url"]) as again:
            await again.hears("message")
            assert again.words() == ["nobody", "message"]
            await trio.sleep(0.4)
            again.say("call me back")
            with trio.fail_after(10):
                await again.closed.wait()
        _, verbs = await ask(url, "c1", "answered")
        assert [verb.tag for verb in verbs] == ["Hangup"]
        first, second = await settled(tmp_path, 2)
    assert (first["outcome"], second["outcome"]) == ("transferred", "completed")
    assert second["continues"] == first["id"]
    assert second["slots"] == {"name": "John Smith", "message": "call me back"}


async def test_the_human_who_is_tried_again_reads_what_was_said_before(tmp_path: Path) -> None:
    async with daemon(tmp_path, **DESK) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await hand_over(url, caller)
        _, verbs = await ask(url, "c1", "in-progress", dial="busy")
        async with line(verbs[0].attrib["url"]) as again:
            await again.hears("message")
            await trio.sleep(0.4)
            again.say("try again")
            with trio.fail_after(10):
                await again.closed.wait()
        await settled(tmp_path, 2)
    packets = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*/handoff.json"))]
    assert [words["text"] for words in packets[1]["last_words"]][:2] == ["speak to a person", "hold"]


@pytest.mark.slow
async def test_a_switch_whose_dial_nobody_takes_streams_again_to_the_end(tmp_path: Path) -> None:
    for name, text in {"name": "john smith", "person": "speak to a person", "message": "call me back"}.items():
        write_wav(tmp_path / f"{name}.wav", text)
    (tmp_path / "back.toml").write_text(
        """
        dial = "no-answer"
        steps = [
            { wait = { quiet_ms = 500 } },
            { say = "name.wav" },
            { wait = { quiet_ms = 500 } },
            { say = "person.wav" },
            { silence = 15 },  # the switch's own words, and two seconds of ringing
            { say = "message.wav" },
            { silence = 15 },
        ]
        """
    )
    shown: list[str] = []
    async with daemon(tmp_path / "calls", **DESK) as (url, _):
        scenario = load(str(tmp_path / "back.toml"))
        with trio.fail_after(60):
            report = await place_call(scenario, base_url=url, secret=SECRET, out=None, show=shown.append)
        first, second = await settled(tmp_path / "calls", 2)
    assert (report.outcome, report.streams, report.dialled, report.why) == ("completed", 2, "+15550199", "the agent hung up"), (
        shown
    )
    assert (first["outcome"], second["outcome"], second["slots"]["message"]) == ("transferred", "completed", "call me back")


async def test_a_flow_that_says_nothing_of_it_ends_in_words(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (url, _):
        async with line(await stream_url(url, "c1")) as caller:
            await caller.hears("welcome")
            await trio.sleep(0.4)
            caller.say("please wants_human")
            with trio.fail_after(10):
                await caller.closed.wait()
        await ask(url, "c1", "in-progress")
        _, verbs = await ask(url, "c1", "in-progress", dial="no-answer")
    assert [verb.tag for verb in verbs] == ["Say", "Hangup"]
