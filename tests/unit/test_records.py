"""What a call leaves behind, and that no disk can stop it."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from agentd.actors.memory import Memory
from agentd.audio.recording import Recording, Unrecorded
from agentd.flow import load
from agentd.folder import CallFolder, new_call_id
from agentd.ledger.row import Fact, Kind, Row, Verdict
from agentd.messages import FlowState, Logged, Reply, Said, Segment, SegmentHeard
from agentd.records import CallRecord
from telemetry.export import CallTrace, Telemetry
from telemetry.turns import Clock
from tests.unit.handoff.desk import KEPT, over, row

FLOW = load("receptionist")
KNOWN = {"from": "+1555", "flow": "receptionist"}


class Wall:
    """The time of day, which somebody sets back while the call goes on."""

    now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """A record on a folder, and the call that it is of."""

    def __init__(self, out: Path, recording: Literal["off", "on", "consent"] = "on") -> None:
        self.wall, telemetry = Wall(), Telemetry("test", None, content=False)
        self.folder = CallFolder(out, new_call_id())

        def trace(on_span: Callable[[dict[str, Any]], None]) -> CallTrace:
            return telemetry.call(self.folder.id, {}, Clock(0.0, 0), on_span)

        flow = replace(FLOW, recording=recording)
        self.record = CallRecord(self.folder, flow, trace, KNOWN, self.wall, 8000)

    def write(self, at: float, state: str = "listening", heard: str = "") -> None:
        event = SegmentHeard(Segment(Reply(1, 1), 0, heard), at) if heard else None
        lines = (Said("agent", heard),) if heard else ()
        self.record.write(Logged(at, event, "listening", state, Reply(1, 1), "reply", (), lines, "greeting"))

    def close(self, outcome: str, memory: Memory | None, *rows: Row) -> None:
        self.record.close(self.record.end(outcome, memory), over(*rows))

    def call(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.folder.path / "call.json").read_text())
        return record


def test_call_json_tells_who_what_and_how_it_ended(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(10.0)
    desk.write(12.5, "ended")
    slots = FLOW.fill(FlowState("greeting"), {"name": "John Smith"})
    desk.close("hangup", Memory(slots))
    record = desk.call()
    assert (record["from"], record["outcome"], record["slots"]) == ("+1555", "hangup", {"name": "John Smith"})
    assert record["recording"] == {"mode": "on", "failed": None}
    assert (desk.folder.path / "recording.wav").exists()


def test_call_json_tells_its_effects_as_they_stood_when_the_call_was_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.close("hangup", None, row("r1", **KEPT), row("r1.notice", 1, Kind.NOTICE, verdict=Verdict.KEEP, of="r1"))
    record = desk.call()
    assert [(effect["id"], effect["fate"], effect["cause"]) for effect in record["effects"]] == [("r1", "done", "yes")]
    assert record["settled"] is True
    assert "settling" not in record


def test_call_json_says_where_to_look_for_what_is_settled_later(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.close("hangup", None, row("r1", **{**KEPT, "fact": Fact.CONFIRMING}))
    record = desk.call()
    assert (record["settled"], record["settling"]) == (False, f"agentd effects show {desk.folder.id}")


def test_what_is_told_of_a_call_names_its_transcript(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(1.0, heard="hello")
    desk.close("hangup", None)
    assert json.loads((tmp_path / desk.call()["transcript"]).read_text())["text"] == "hello"


def test_a_clock_that_is_set_back_does_not_change_how_long_a_call_was(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(10.0)
    desk.wall.now -= timedelta(hours=1)
    desk.write(12.5, "ended")
    desk.close("hangup", None)
    assert desk.call()["seconds"] == 2.5


def test_a_call_that_never_began_has_a_whole_record(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.close("failed", None)
    record = desk.call()
    assert (record["outcome"], record["seconds"], record["turns"], record["slots"]) == ("failed", 0.0, 0, {})


def test_a_call_is_recorded_as_its_flow_says(tmp_path: Path) -> None:
    assert isinstance(Desk(tmp_path, "off").record.sink, Unrecorded)
    for mode, silent in (("on", False), ("consent", True)):
        desk = Desk(tmp_path, mode)  # type: ignore[arg-type]
        assert isinstance(desk.record.sink, Recording)
        desk.record.sink.caller(0, b"\1\1" * 8000)
        desk.close("hangup", None)
        audio = (desk.folder.path / "recording.wav").read_bytes()[44:]
        assert (not any(audio)) == silent


def test_a_full_disk_is_told_in_the_log_and_in_call_json_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path)
    desk.write(0.0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("agentd.audio.wav.WavWriter.write", full)
    monkeypatch.setattr("agentd.folder._write_whole", full)
    for second in range(5):
        desk.record.sink.caller(second * 8000, bytes(16000))
        desk.write(float(second), heard="hello")
    with caplog.at_level(logging.ERROR):
        desk.close("hangup", None)
    assert desk.call()["recording"]["failed"] == "No space left on device"
    assert [record.getMessage() for record in caplog.records] == [
        f"the {what} of call {desk.folder.id} is incomplete: No space left on device" for what in ("record", "recording")
    ]


def test_a_handover_is_written_down(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(0.0)
    memory = Memory(FlowState("handover"), (Said("agent", "One moment."),))
    desk.record.hand_over(memory, "escalated")
    handoff = json.loads((desk.folder.path / "handoff.json").read_text())
    assert (handoff["call"], handoff["why"], handoff["who"]["number"]) == (desk.folder.id, "escalated", "+1555")
    assert desk.record.summary(memory, "escalated") == "Handing over a caller whom I could not help."
    desk.close("transferred", memory)
