from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from agentd.folder import CallFolder, new_call_id
from agentd.messages import Logged, RowChanged
from agentd.trace.cli import main
from agentd.trace.effects import FACTS, TELLINGS, VERDICTS
from telemetry import names
from telemetry.export import Telemetry
from telemetry.transcript import Transcript
from telemetry.turns import Clock
from tests.unit.telemetry.script import START, Script, row
from tests.unit.telemetry.test_effects import booked
from tests.unit.telemetry.test_spans import ZERO, effects, everything
from tests.unit.telemetry.test_steps import speaking


def record(root: Path, entries: list[Logged], *, live: bool = False, rows: tuple[RowChanged, ...] = ()) -> CallFolder:
    folder, transcript = CallFolder(root, new_call_id()), Transcript()
    attributes = {names.CALL_FLOW: "receptionist", names.CALL_CARRIER: "sautikit"}
    call = Telemetry("agentd", None, False).call(folder.id, attributes, Clock(START, ZERO), folder.add_span)
    for entry in entries:
        call.write(entry)
        for line in transcript.feed(entry):
            folder.add_transcript(line)
    for line in transcript.end(rows):
        folder.add_transcript(line)
    if not live:
        call.close("hangup", {}, rows)
    folder.close()
    return folder


def drawn(root: Path, capsys: pytest.CaptureFixture[str], call: str = "last") -> str:
    assert main([call], root) == 0
    return capsys.readouterr().out


def line_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"  {label}"))


def ordinary() -> list[Logged]:
    return Script().greeted().wait(1).says("when are you open").speaks("At nine.").wait(1).hangs_up().entries


def test_a_turn_is_drawn_with_its_stages_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, ordinary())
    text = drawn(tmp_path, capsys)
    assert "receptionist · sautikit · hangup" in text
    assert "turn 2 · reply · start · at 0:02.2" in text
    second = text.split("turn 2", 1)[1]
    labels = [line.split()[0] for line in second.splitlines()[2:]]
    assert labels == ["caller", "endpointing", "recognizer", "think", "voice", "gap", "playback", "caller", "agent"]
    assert "gap 470 ms" in second.splitlines()[0]
    assert "300 ms complete" in line_of(second, "endpointing")
    assert "“when are you open”" in second
    assert "“At nine.”" in second


def test_bars_lie_where_they_were_on_one_axis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, ordinary())
    second = drawn(tmp_path, capsys).split("turn 2", 1)[1]

    def cells(label: str) -> tuple[int, int]:
        found = [m.start() for m in re.finditer("[━╸╺]", line_of(second, label)[17:])]
        return found[0], found[-1]

    caller, waits, plays = cells("caller"), cells("endpointing"), cells("playback")
    assert caller[0] == 0
    assert waits[0] - caller[1] in {0, 1}
    assert caller[1] - caller[0] == pytest.approx((waits[1] - waits[0]) / 0.3, rel=0.2)
    assert plays[0] > waits[1]
    gap = line_of(second, "gap")[17:]
    assert gap.index("├") - caller[1] in {0, 1}
    assert gap.index("┤") - plays[0] in {-1, 0, 1}


def test_barge_ins_are_marked_with_cause_and_outcome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, everything())
    text = drawn(tmp_path, capsys)
    assert "barge-ins: 2 confirmed, 1 rejected, 1 lapsed" in " ".join(text.split())
    assert re.search(r"barge-in +.*▲╌*○╌*▶.* 400 ms rejected", text)
    assert re.search(r"barge-in ✕ .*✕.* 100 ms words", text)
    assert re.search(r"reopened .*↩", text)
    assert re.search(r"restarted .*↻.* speaker", text)
    assert re.search(r"down .*†.* voice", text)
    assert re.search(r"filler .*━", text)
    assert "to a filler" in line_of(text, "gap")
    assert "1,000 ms failed" in line_of(text, "free_slots")


@pytest.mark.parametrize(("columns", "width"), [(20, 80), (80, 80), (120, 120), (400, 160)])
def test_it_fits_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    script = Script().greeted().wait(1).says("well " * 100).speaks("No. " * 80).wait(1).hangs_up()
    record(tmp_path, script.entries)
    lines = drawn(tmp_path, capsys).splitlines()
    assert max(map(len, lines)) == width
    record(tmp_path, everything())
    assert max(map(len, drawn(tmp_path, capsys).splitlines())) == width


def test_colour_is_for_a_terminal_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, ordinary())
    plain = drawn(tmp_path, capsys)
    assert "\x1b" not in plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = drawn(tmp_path, capsys)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert coloured != plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(tmp_path, capsys) == plain


def test_a_live_call_is_drawn_as_far_as_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record(tmp_path, speaking().entries, live=True)
    with (folder.path / "spans.jsonl").open("a") as file:
        file.write('{"trace_id": "half a li')
    text = drawn(tmp_path, capsys)
    assert "live, or cut off" in text
    assert "turn 1" in text
    assert "not over" in text
    assert "“when are you open”" in text
    assert "1 line of its files could not be read" in text


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"null\n[]\n1\n\xff\xfe\n",
        b'{"span_id": "a", "name": "turn", "start": 1, "end": 0}\n',
        b'{"span_id": "a", "name": "turn", "start": 5, "end": 5, "attributes": [], "events": {}}\n',
        b'{"span_id": "a", "name": "turn", "start": 5, "end": 9, "attributes": {"agentd.turn.gap": "x"}, "events": [1, {"at": 1}]}',  # noqa: E501
        b'{"span_id": "a", "name": "turn", "start": 5, "end": 9, "attributes": {"agentd.turn.gap": Infinity}}\n',
        b'{"span_id": "a", "name": "turn", "start": -99999999999999999999999, "end": 99999999999999999}\n',
        b'{"span_id": "a", "name": "call", "start": true, "end": 9, "attributes": {"agentd.call.flow": {}}}\n',
        b'{"span_id": "a", "name": "turn", "start": 0, "end": 9}\n'
        b'{"span_id": "b", "parent_id": "a", "name": "tool", "start": 0, "end": 9223372036854775807}\n',
    ],
)
def test_a_broken_call_is_drawn_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], garbage: bytes) -> None:
    folder = CallFolder(tmp_path, new_call_id())
    (folder.path / "spans.jsonl").write_bytes(garbage)
    (folder.path / "transcript.jsonl").write_bytes(b'{"turn": [], "who": 1, "text": {}, "cut": "?"}\n{"turn": null}\nx\n')
    assert folder.id in drawn(tmp_path, capsys)


def test_a_folder_without_anything_is_told_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = CallFolder(tmp_path, new_call_id())
    assert drawn(tmp_path, capsys).splitlines() == [
        f"{folder.id}  live, or cut off: the call's own span is missing",
        "0 turns",
    ]


def test_a_caller_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record(tmp_path, ordinary())
    line = {"turn": 2, "who": "caller\x1b[2J", "text": "\x1b]0;x\x07\u202eevil\r\n"}
    (folder.path / "transcript.jsonl").write_text(json.dumps(line))
    text = drawn(tmp_path, capsys)
    assert "evil" in text
    assert not set(text) & set("\x1b\x07\r\u202e")


def test_an_unknown_call_is_told_with_its_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2026"], tmp_path) == 1
    assert "Mend:" in capsys.readouterr().err


def test_a_prefix_names_a_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record(tmp_path, ordinary())
    assert folder.id in drawn(tmp_path, capsys, folder.id[:-4])


# ── Effects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_effect_is_a_lane_with_a_mark_for_all_that_became_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, effects().entries)
    _, second, third = drawn(tmp_path, capsys).split("── turn ")[1:]
    assert re.search(r"book … .*→╌*●╌*“╌+✂.*  there, open$", second, re.MULTILINE)
    assert re.search(r"book … .*“╌+”.*  there, open$", third, re.MULTILINE), "what is known from before is not drawn again"
    assert re.search(r"claim stopped .*⊘", third)
    assert re.search(r"ledger down .*†", third)
    assert "  ledger         book: there, open" in second


@pytest.mark.parametrize(
    ("rows", "lane"),
    [
        ([row(verdict="keep", cause="told")], "book ✓ .*✓.* kept (told)"),
        ([row(fact="undoing", verdict="drop", cause="retracted")], "book ✗ .*✗←.* letting go (retracted)"),
        ([row(fact="absent", verdict="drop", cause="retracted")], "book ✗ .*✗○.* let go (retracted)"),
        ([row(fact="undoing", verdict="drop", cause="ended", stuck=True)], r"book ? .*✗←?.* outcome unknown, a hum"),
        ([row("e2", "sent", "keep", "yes", kind="take_back")], "book back ✓ .*✓→.* kept (yes), being done"),
    ],
)
def test_a_lane_tells_its_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[RowChanged], lane: str
) -> None:
    record(tmp_path, booked().moved(*rows).hangs_up().entries)
    pattern = lane.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")
    assert re.search(pattern, drawn(tmp_path, capsys)), drawn(tmp_path, capsys)


def test_marks_of_one_moment_stand_side_by_side_within_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = booked().wait(0.5).reply_heard().moved(row(fact="undoing", verdict="drop", cause="late"))
    record(tmp_path, script.moved(row(fact="absent", verdict="drop", cause="late")).hangs_up().entries)
    lane = line_of(drawn(tmp_path, capsys), "book ✗")
    assert "✗←○" in lane
    assert lane.index("○") == 100 - 24 - 2, "the last cell"
    record(tmp_path, booked().moved(row(fact="undoing", verdict="drop", cause="late")).wait(1).reply_heard().hangs_up().entries)
    assert "✗←" in line_of(drawn(tmp_path, capsys), "book ✗")


def test_what_comes_long_after_a_turn_does_not_squeeze_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, booked().wait(1).reply_heard().wait(60).moved(row(verdict="drop", cause="late")).hangs_up().entries)
    second = drawn(tmp_path, capsys).split("── turn 2", 1)[1]
    assert line_of(second, "caller").count("━") > 10


def test_the_head_tells_what_became_of_the_effects_to_the_calls_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone, held = row(fact="absent", verdict="drop", cause="ended"), row("e2", "confirmed", "keep", "yes", kind="held")
    notice = row("e1.notice", "unsent", "keep", "born", kind="notice")
    script = booked().moved(held).moved(row("e3", "sent", "keep", "yes", stuck=True)).hangs_up()
    record(tmp_path, script.entries, rows=(gone, held, notice))
    text = drawn(tmp_path, capsys)
    assert "effects: 1 let go, 1 kept, 1 unknown" in " ".join(text.split())
    assert text.splitlines()[-2:] == ["  ledger         book: let go (ended)", "  ledger         notice of book: owed"]


def test_every_mark_is_told_by_the_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"], tmp_path)
    told = capsys.readouterr().out
    assert {mark for marks in (FACTS, VERDICTS, TELLINGS) for mark in marks.values() if mark not in told} == set()
