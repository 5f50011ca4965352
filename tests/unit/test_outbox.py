"""What leaves after a call: to whom, in which words, signed and under one key, and what becomes of it where nobody takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from agentd.errors import LedgerDown, SettingsError
from agentd.flow.model import Flow
from agentd.ledger.events import Answer, Ask, Done, No, NotSent, Unknown
from agentd.ledger.hands import NoHands
from agentd.ledger.row import Fact, Kind, Row, Told, Verdict
from agentd.ledger.storage.codec import CallFacts, Case
from agentd.outbox import Outbox, meaning, webhook
from agentd.settings import load
from tests.fakes.receiver import Receiver, receiving
from tests.unit.handoff.desk import DROPPED, FLOW, KEPT, row

SECRET = "a secret of the tests"
NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
FACTS = CallFacts("20261120-170002-118-7f3a9c01", "desk", "+15550123", "+15550100", NOON.timestamp())
CALL = {"id": "c1", "flow": "desk", "outcome": "hangup", "slots": {"name": "Jane Doe"}}

GUIDE = Path(__file__).parents[2] / "ops" / "after-the-call.md"
verifier: dict[str, Any] = {}
exec(re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1], verifier)  # type: ignore[index]
genuine: Callable[[str, bytes, str, float], bool] = verifier["genuine"]


@dataclass
class Shelf:
    """A ledger with one call in it."""

    rows: tuple[Row, ...] = ()
    down: bool = False

    async def find(self, call: str) -> Case | None:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise LedgerDown("the disk is full")
        return Case(FACTS, self.rows) if self.rows else None


def outbox(url: str, shelf: Shelf, **given: str) -> Outbox:
    settings = load(None, {}, {"after.call_url": url, "after.notice_url": url, "after.secret": SECRET} | given)
    return Outbox(settings.after, shelf.find, lambda: NOON)


def notice(of: Row) -> Row:
    return Row(f"{of.id}.notice", "c1", of.seq + 1, of.tool, Kind.NOTICE, verdict=Verdict.KEEP, of=of.id)


def quick(one: Row, timeout: float = 0.2) -> Row:
    return replace(one, traits=replace(one.traits, timeout=timeout))


async def post(receiver: Receiver | str, *rows: Row, flow: Flow | None = FLOW) -> Answer:
    """Post the last one of a call's rows."""
    url = receiver if isinstance(receiver, str) else receiver.url
    return await outbox(url, Shelf(rows)).hands(FACTS, flow, NoHands("no tools")).send(rows[-1], Ask.ACT)


# ── What is told ─────────────────────────────────────────────────────────────────────────────────────────────────────

FATES = [
    (row("r1", **KEPT), "done", "You are booked for Tuesday the 24th."),
    (row("r1", **DROPPED), "undone", "I am sorry, that did not work out: Tuesday the 24th."),
    (row("r1", **{**KEPT, "fact": Fact.ABSENT}), "undone", "I am sorry, that did not work out: Tuesday the 24th."),
    (row("r1", kind=Kind.TAKE_BACK, **{**KEPT, "fact": Fact.THERE}), "done", "I have taken that back: Tuesday the 24th."),
    (
        row("r1", **{**KEPT, "fact": Fact.SENT}, stuck=True),
        "not_known",
        "We do not know yet whether this was done: book, when Tuesday the 24th, name Jane Doe. "
        "Somebody will look, and tell you.",
    ),
    (
        row("r1", tool="gone", **KEPT),
        "done",
        "This was done: gone, when 2026-11-24, name Jane Doe.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("about", "state", "text"), FATES)
async def test_a_notice_tells_its_caller_what_became_of_the_effect(about: Row, state: str, text: str) -> None:
    async with receiving() as receiver:
        assert await post(receiver, about, notice(about)) == Done()
    (posted,) = receiver.posted
    told = posted.told
    assert (told["type"], told["key"], told["state"], told["text"]) == ("notice", "r1.notice", state, text)
    assert (told["to"], told["from"], told["call"]["id"]) == ("+15550123", "+15550100", FACTS.id)
    assert (told["effect"]["id"], told["effect"]["args"]["name"]) == ("r1", "Jane Doe")


async def test_what_is_told_of_a_call_is_its_record_with_its_effects_as_the_ledger_has_them_now() -> None:
    effects = (row("r1", **KEPT), row("r2", 1, **DROPPED))
    async with receiving() as receiver:
        assert await post(receiver, *effects, webhook("c1", CALL, 2, 0.0)) == Done()
    told = receiver.posted[0].told
    assert (told["type"], told["key"]) == ("call", "c1.webhook")
    assert told["call"].items() >= CALL.items()
    assert [(one["id"], one["fate"], one["verdict"]) for one in told["call"]["effects"]] == [
        ("r1", "done", "keep"),
        ("r2", "undone", "drop"),
    ]
    assert told["call"]["settled"] is True


async def test_a_call_is_told_of_though_its_flow_is_gone() -> None:
    async with receiving() as receiver:
        assert await post(receiver, row("r1", **KEPT), webhook("c1", CALL, 1, 0.0), flow=None) == Done()
    assert receiver.posted[0].told["call"]["effects"][0]["label"] == "book, when 2026-11-24, name Jane Doe"


async def test_effects_are_not_the_outbox_s() -> None:
    async with receiving() as receiver:
        assert await post(receiver, row("r1")) == NotSent("no tools")
    assert receiver.posted == []


def printed(kind: str) -> Any:
    """The example in the guide."""
    block = re.search(rf"<!-- {kind}: printed -->\n```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert block is not None
    return json.loads(block[1])


RECORD = {
    "id": FACTS.id, "carrier": "sautikit", "carrier_call": "CA7f3a", "flow": "desk", "from": FACTS.caller, "to": FACTS.called,
    "direction": "inbound", "started": "2026-11-20T17:00:02.118000+00:00", "ended": "2026-11-20T17:00:51.402000+00:00",
    "seconds": 49.26, "outcome": "hangup", "turns": 5, "slots": {"when": "2026-11-24", "name": "Jane Doe"},
    "summary": "i need an appointment; on tuesday", "transcript": f"{FACTS.id}/transcript.jsonl",
    "trace_id": "5b8aa5a2d2c872e8321cf37308d69df2",
}  # fmt: skip


async def test_the_guide_s_examples_are_what_is_posted() -> None:
    heard = replace(row("9f86d081884c7d65", **{**KEPT, "told": Told.TELLING, "why": "doubt"}), noticed=True)
    monday = json.dumps({"when": "2026-11-23", "name": "Jane Doe"})
    let_go = replace(row("3fc9b689459d738f", **{**DROPPED, "why": "revised"}), args=monday)
    async with receiving() as receiver:
        await post(receiver, let_go, heard, webhook(FACTS.id, RECORD, 2, 0.0))
        await post(receiver, heard, notice(heard))
    call, told = (posted.told for posted in receiver.posted)
    assert printed("call") == call
    assert printed("notice") == told


# ── How it is sent ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_is_posted_as_json_under_its_row_s_id_and_signed_as_the_guide_says() -> None:
    about = row("r1", **KEPT)
    async with receiving() as receiver:
        await post(receiver, about, notice(about))
    (posted,) = receiver.posted
    assert posted.path == "POST /"
    assert (posted.key, posted.headers["content-type"]) == ("r1.notice", "application/json")
    header, now = posted.headers["agentd-signature"], NOON.timestamp()
    assert genuine(header, posted.body, SECRET, now + 299)
    assert not genuine(header, posted.body, SECRET, now + 301)
    assert not genuine(header, posted.body + b" ", SECRET, now)
    assert not genuine(header, posted.body, "another", now)
    assert not genuine(header.replace(f"t={now:.0f}", f"t={now + 1:.0f}"), posted.body, SECRET, now)


STATUSES = [
    (200, Done), (202, Done), (204, Done),
    (400, No), (402, No), (410, No), (413, No), (422, No),
    (301, NotSent), (302, NotSent), (307, NotSent),
    (401, NotSent), (403, NotSent), (404, NotSent), (405, NotSent), (429, NotSent),
    (408, Unknown), (409, Unknown), (425, Unknown), (500, Unknown), (502, Unknown), (503, Unknown), (504, Unknown),
]  # fmt: skip


@pytest.mark.parametrize(("status", "answer"), STATUSES)
def test_a_status_is_taken_for_what_the_guide_says(status: int, answer: type[Answer]) -> None:
    assert type(meaning(status)) is answer


@pytest.mark.parametrize("manner", [500, "reset"])
async def test_what_may_have_been_taken_is_not_known(manner: int | str) -> None:
    async with receiving(manner) as receiver:
        assert isinstance(await post(receiver, webhook("c1", CALL, 0, 0.0)), Unknown)


async def test_a_receiver_that_never_answers_is_left_when_the_time_is_up() -> None:
    async with receiving("late") as receiver:
        with trio.fail_after(5):
            assert await post(receiver, quick(webhook("c1", CALL, 0, 0.0))) == Unknown("no answer within 0.2 s")
    assert list(receiver.taken) == ["c1.webhook"]


async def test_of_an_answer_without_end_only_the_status_is_read() -> None:
    async with receiving("endless") as receiver:
        with trio.fail_after(5):
            assert await post(receiver, webhook("c1", CALL, 0, 0.0)) == Done()


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with receiving() as receiver:
        pass
    assert await post(receiver, webhook("c1", CALL, 0, 0.0)) == NotSent("nobody is there: ConnectError")


async def test_no_redirect_is_followed() -> None:
    async with receiving(307) as receiver:
        assert await post(receiver, webhook("c1", CALL, 0, 0.0)) == NotSent("it answered 307")
    assert [posted.path for posted in receiver.posted] == ["POST /"]


async def test_a_refusal_for_good_is_logged_without_a_word_of_what_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    about = row("r1", **KEPT)
    async with receiving(422) as receiver:
        assert await post(receiver, about, notice(about)) == No("it answered 422")
    assert [record.getMessage() for record in caplog.records if record.name == "agentd.outbox"] == [
        "the notice r1.notice was refused for good: it answered 422"
    ]


# ── What cannot be sent ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_an_address_a_notice_is_not_sent_and_says_how_to_mend_it() -> None:
    about = row("r1", **KEPT)
    hands = outbox("", Shelf((about, notice(about)))).hands(FACTS, FLOW, NoHands(""))
    answer = await hands.send(notice(about), Ask.ACT)
    assert isinstance(answer, NotSent)
    assert "after.notice_url" in answer.why


async def test_what_the_ledger_cannot_tell_now_is_told_later() -> None:
    shelf = Shelf((row("r1"),), down=True)
    answer = await outbox("http://127.0.0.1:1", shelf).send(notice(row("r1")), FACTS, FLOW)
    assert answer == NotSent("what it tells cannot be read (the disk is full)")


async def test_an_author_s_words_that_break_leave_the_notice_unsent_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("agentd.outbox.telling", broken)
    about = row("r1", **KEPT)
    async with receiving() as receiver:
        answer = await post(receiver, about, notice(about))
    assert answer == NotSent("what it tells cannot be put in words: ZeroDivisionError")


@pytest.mark.parametrize("given", [{"after.call_url": ""}, {"after.notice_url": ""}])
def test_nothing_leaves_unsigned(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"after\.secret"):
        outbox("https://x.example", Shelf(), **given, **{"after.secret": " "})
    outbox("", Shelf(), **{"after.secret": ""})


def test_a_row_that_is_told_of_a_call_is_born_kept() -> None:
    born = webhook("c1", CALL, 3, 7.0)
    assert (born.id, born.call, born.seq, born.kind, born.verdict) == ("c1.webhook", "c1", 3, Kind.WEBHOOK, Verdict.KEEP)
    assert (json.loads(born.args), born.told, born.traits.honours_key) == (CALL, Told.NO, True)
