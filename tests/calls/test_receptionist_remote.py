"""The receptionist at a booking service: a whole call over real sockets, in real time."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from agentd.flow import load
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import open_store
from agentd.ledger.storage.vault import open_vault
from agentd.offload import Inline
from agentd.providers.rules import thinker
from tests.calls.harness import NOON, telephone_call
from tests.fakes import booking
from tests.fakes.booking_world import BookingWorld, Fault


@pytest.mark.slow
async def test_a_booking_over_http_is_moved_and_texted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()

    def now() -> float:
        """The call's own time of day: the service promises its holds until one."""
        return (NOON + timedelta(seconds=time.monotonic() - began)).timestamp()

    world = BookingWorld(now)
    world.faults = [Fault("POST /holds/[^/]+/confirm", after=1.5), Fault("DELETE /appointments", answer="status", status=503)]
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}", open_vault("", tmp_path / "ledger.sqlite"))
    async with booking.served(world) as url:
        monkeypatch.setenv("ACME_DESK_URL", url)
        monkeypatch.setenv("ACME_DESK_AUTHORIZATION", "Bearer s3cret")
        flow = load(Path("flows/receptionist.py"))
        async with telephone_call(flow, thinker(flow), ledger=Ledger(store, Inline()), alone=False) as scene:
            await scene.phone.quiet(1.0)
            for said in (
                "book an appointment on tuesday at ten",
                "my name is john smith",
                "yes",
                "actually wednesday",
                "yes",
                "yes",
            ):
                scene.phone.say(said)
                await scene.phone.said()
                await scene.phone.quiet(2.5)
            assert "I will text it" in scene.phone.sentence()
    store.close()
    stands = {(entry["what"], entry["state"], entry["body"].get("when")) for entry in world.world().values() if entry["net"]}
    assert stands == {("holds", "confirmed", "2026-11-25T10:00"), ("texts", "there", "2026-11-25T10:00")}
