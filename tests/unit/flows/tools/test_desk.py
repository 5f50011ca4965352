"""The receptionist at a booking service: the same tools, over real sockets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentd.flow import Context, Flow, Moment, load
from agentd.flow.effects import EffectTool
from agentd.flow.hands import FlowHands
from agentd.ledger.events import Ask, Done, Found, No, NotSent
from agentd.ledger.row import Kind, Row
from agentd.offload import Threads
from flows.receptionist import OPENING
from flows.tools.calendar import Calendar
from flows.tools.desk import desk
from tests.fakes import booking
from tests.fakes.booking_world import BookingWorld

TEN = Moment.read("2026-11-24T10:00")
APPOINTMENT = json.dumps({"when": "2026-11-24T10:00", "name": "Ann"})


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Flow]:
    """The receptionist, loaded anew to work at that service."""

    def loaded(url: str) -> Flow:
        monkeypatch.setenv("ACME_DESK_URL", url)
        monkeypatch.setenv("ACME_DESK_AUTHORIZATION", "Bearer s3cret")
        return load(Path("flows/receptionist.py"))

    return loaded


def row(flow: Flow, name: str, tool: str = "book", args: str = APPOINTMENT, kind: Kind | None = None, of: str = "") -> Row:
    declared = flow.tools[tool]
    assert isinstance(declared, EffectTool)
    return Row(name, "c1", 0, tool, kind or declared.kind, declared.traits, args, of=of)


async def test_each_tool_is_a_request_to_the_service(at: Callable[[str], Flow]) -> None:
    world = BookingWorld(time.time)
    async with booking.served(world) as url:
        flow = at(url)
        hands = FlowHands(flow, Threads(), lambda: datetime.now(UTC), call_from="+15550142")
        held = await hands.send(row(flow, "a"), Ask.DO)
        assert isinstance(held, Done)
        assert held.lasts == pytest.approx(300, abs=2)
        assert isinstance(await hands.send(row(flow, "b"), Ask.DO), No)
        assert isinstance(await hands.send(row(flow, "a"), Ask.CONFIRM), Done)
        assert await hands.send(row(flow, "a"), Ask.STATUS) is Found.CONFIRMED
        assert isinstance(await hands.send(row(flow, "t", "text", '{"when": "2026-11-24T10:00"}'), Ask.ACT), Done)
        assert isinstance(await hands.send(row(flow, "d", "charge", "{}"), Ask.ACT), Done)
        assert isinstance(await hands.send(row(flow, "back", kind=Kind.TAKE_BACK, of="a"), Ask.ACT), Done)
        assert isinstance(await hands.send(row(flow, "e"), Ask.DO), Done)
        assert isinstance(await hands.send(row(flow, "e"), Ask.UNDO), Done)
    assert {name: (entry["what"], entry["net"]) for name, entry in world.world().items()} == {
        "a": ("holds", 0), "t": ("texts", 1), "d": ("deposits", 1), "e": ("holds", 0),
    }  # fmt: skip
    sent = world.asked[0].headers
    assert (sent["authorization"], sent["agentd-from"]) == ("Bearer s3cret", "+15550142")


async def test_free_times_are_the_service_s_own(at: Callable[[str], Flow]) -> None:
    world = BookingWorld(time.time)
    async with booking.served(world) as url:
        tool = at(url).tools["free_times"]

        async def free(wanted: str) -> object:
            return await tool.call(Context(datetime.now(UTC)), tool.check({"wanted": wanted}))  # type: ignore[misc]

        assert await free("2026-11-24") == ["2026-11-24T09:00", "2026-11-24T10:00", "2026-11-24T14:30"]
        assert await free("2026-11-24T10:00") == ["2026-11-24T10:00"]
        world.arrive("POST", "/holds", "a", {"when": "2026-11-24T10:00"})
        assert await free("2026-11-24T10:00") == ["2026-11-24T09:00", "2026-11-24T14:30"]


async def test_without_its_secret_nothing_is_sent(at: Callable[[str], Flow], monkeypatch: pytest.MonkeyPatch) -> None:
    world = BookingWorld(time.time)
    async with booking.served(world) as url:
        flow = at(url)
        monkeypatch.delenv("ACME_DESK_AUTHORIZATION")
        hands = FlowHands(flow, Threads(), lambda: datetime.now(UTC))
        assert isinstance(await hands.send(row(flow, "a"), Ask.DO), NotSent)
    assert world.asked == []


def test_with_no_set_up_the_desk_is_a_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_DESK_URL", raising=False)
    assert isinstance(desk(OPENING), Calendar)
