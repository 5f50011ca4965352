"""The fake office keeps its own laws: other tests measure the ledger by it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from agentd.errors import ToolError, ToolGone, ToolRefused
from agentd.flow import Context
from tests.fakes import booking
from tests.fakes.booking_world import BookingWorld, Fault, Office

TUESDAY = {"when": "2026-11-24T10:00"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def office(**manners: Any) -> BookingWorld:
    return BookingWorld(Clock(), **manners)


def post(world: BookingWorld, what: str, key: str, **body: Any) -> int:
    return world.arrive("POST", f"/{what}", key, body)[0]


def test_a_repeated_key_is_answered_and_not_carried_out_again() -> None:
    world = office()
    first = world.arrive("POST", "/texts", "k", {"to": "x"})
    assert world.arrive("POST", "/texts", "k", {"to": "x"}) == first
    assert world.net("k") == 1
    rude = office(honours_keys=False)
    assert [post(rude, "texts", "k"), post(rude, "texts", "k")] == [201, 201]
    assert rude.net("k") == 2


@pytest.mark.parametrize(("stores", "second"), [(True, 422), (False, 201)])
def test_a_refusal_is_remembered_where_it_is_stored(stores: bool, second: int) -> None:
    world = office(stores_refusals=stores)
    post(world, "appointments", "a", **TUESDAY)
    assert post(world, "appointments", "b", **TUESDAY) == 422
    world.arrive("DELETE", "/appointments/a", "a.undo")
    assert post(world, "appointments", "b", **TUESDAY) == second


def test_an_undo_that_comes_first_is_a_tombstone() -> None:
    world = office()
    assert world.arrive("DELETE", "/appointments/a", "a.undo")[0] == 404
    assert post(world, "appointments", "a", **TUESDAY) == 410
    assert (world.net("a"), world.hits) == (0, 1)
    rude = office(tombstones=False)
    rude.arrive("DELETE", "/appointments/a", "a.undo")
    assert post(rude, "appointments", "a", **TUESDAY) == 201
    assert rude.net("a") == 1


def test_a_hold_ends_by_itself_unless_it_is_confirmed() -> None:
    world = office(ttl=60.0)
    post(world, "holds", "a", **TUESDAY)
    assert post(world, "holds", "b", **TUESDAY) == 422
    world.now.now += 60  # type: ignore[attr-defined]
    assert world.net("a") == 0
    assert world.arrive("POST", "/holds/a/confirm", "a.confirm")[0] == 410
    post(world, "holds", "c", **TUESDAY)
    assert world.arrive("POST", "/holds/c/confirm", "c.confirm")[0] == 200
    world.now.now += 1000  # type: ignore[attr-defined]
    assert world.world()["c"] == {"what": "holds", "state": "confirmed", "net": 1, "body": TUESDAY}
    assert world.arrive("DELETE", "/holds/c", "c.undo")[0] == 422
    assert world.arrive("DELETE", "/appointments/c", "c.undo2")[0] == 204
    assert world.net("c") == 0


def test_what_became_of_an_effect_can_be_asked() -> None:
    world = office()
    post(world, "holds", "a", **TUESDAY)
    assert world.arrive("GET", "/effects/a") == (200, {"status": "there"})
    world.arrive("DELETE", "/holds/a", "a.undo")
    assert world.arrive("GET", "/effects/a") == (200, {"status": "absent"})
    assert world.arrive("GET", "/effects/b")[0] == 404


def test_nothing_is_changed_without_a_key() -> None:
    world = office()
    assert post(world, "texts", "") == 400
    assert world.arrive("POST", "/nowhere", "k")[0] == 404
    assert world.world() == {}
    assert len(world.asked) == 2


def test_a_fault_strikes_as_often_as_it_is_told_to() -> None:
    world = office(faults=[Fault("POST /holds$", times=2), Fault("POST", status=503)])
    assert [world.fault("POST", "/holds").match for _ in range(4)] == ["POST /holds$", "POST /holds$", "POST", ""]


# ── In virtual time ──────────────────────────────────────────────────────────────────────────────────────────────────


def context(key: str) -> Context:
    return Context(datetime.now(UTC), key=key)


async def test_in_virtual_time_it_answers_as_an_endpoint_would(autojump_clock: MockClock) -> None:
    world = BookingWorld(trio.current_time)
    async with trio.open_nursery() as nursery:
        desk = Office(world, nursery)
        assert await desk.ask("POST /holds", context("a"), TUESDAY) == {
            "reference": "H1",
            "expires_at": pytest.approx(trio.current_time() + 300),
        }
        with pytest.raises(ToolRefused):
            await desk.ask("POST /holds", context("b"), TUESDAY)
        with pytest.raises(ToolGone):
            await desk.ask("DELETE /holds/x", context("x.undo"))
        world.faults += [Fault(answer="reset"), Fault(answer="status", status=500), Fault(carry_out=False)]
        for _ in range(3):
            with pytest.raises(ToolError):
                await desk.ask("POST /texts", context("t"), {})
        assert [asked.key for asked in world.asked] == ["a", "b", "x.undo", "t", "t"]


async def test_a_request_that_nobody_waits_for_arrives_all_the_same(autojump_clock: MockClock) -> None:
    world = BookingWorld(trio.current_time, faults=[Fault(before=5.0), Fault(answer="never")])
    async with trio.open_nursery() as nursery:
        desk = Office(world, nursery)
        for key in ("late", "lost"):
            with trio.move_on_after(1.0) as scope:
                await desk.ask("POST /texts", context(key), {})
            assert scope.cancelled_caught
        assert (world.net("late"), world.net("lost")) == (0, 1)
        await trio.sleep(5.0)
        assert world.net("late") == 1


# ── Over sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_over_sockets_it_answers_late_twice_never_with_500_or_not_at_all() -> None:
    world = BookingWorld(time.time)
    async with booking.served(world) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def text(key: str, **fault: Any) -> httpx.Response:
            world.faults.append(Fault(**fault))
            return await client.post("/texts", headers={"Idempotency-Key": key}, json={"to": "x"}, timeout=0.5)

        assert (await text("a")).json() == {"reference": "T1"}
        assert (await text("b", answer="twice")).status_code == 201
        assert (await text("c", answer="status", status=503)).status_code == 503
        assert (await text("d", carry_out=False)).status_code == 500
        with pytest.raises(httpx.ReadTimeout):
            await text("e", answer="never")
        with pytest.raises(httpx.ReadTimeout):
            await text("f", before=0.7)
        with pytest.raises(httpx.TransportError):
            await text("g", answer="reset")
        assert {key: world.net(key) for key in "abcdefg"} == {"a": 1, "b": 1, "c": 1, "d": 0, "e": 1, "f": 0, "g": 1}
        with trio.fail_after(5):
            while not world.net("f"):
                await trio.sleep(0.01)
        assert world.asked[0].body == {"to": "x"}


def test_as_a_process_it_is_told_what_to_do_and_outlives_who_asked() -> None:
    with booking.process("--no-keys", "--no-tombstones", "--ttl", "60") as remote:
        remote.fault(Fault("POST /texts", answer="status", status=503))
        headers = {"Idempotency-Key": "k"}
        statuses = [httpx.post(f"{remote.url}/texts", headers=headers, json={}, trust_env=False).status_code for _ in range(3)]
        assert statuses == [503, 201, 201]
        assert remote.world()["k"]["net"] == 3
        remote.manners(honours_keys=True)
        httpx.post(f"{remote.url}/texts", headers=headers, json={}, trust_env=False)
        assert remote.world()["k"]["net"] == 3
        assert json.dumps(remote.asked()[0]["body"]) == "{}"
