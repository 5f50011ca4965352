"""The demo's screen: one conversation from two witnesses, in the order of its time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentd.demo import _Screen
from agentd.demo import main as demo
from agentd.errors import OperatorError


@pytest.fixture
def screen(tmp_path: Path) -> _Screen:
    (tmp_path / "earlier-call").mkdir()
    screen = _Screen(tmp_path)
    screen.note("   0.10  webhook (ringing): Stream, Redirect")
    screen.note("   0.50  stream opened (16000 Hz, mono)")
    (tmp_path / "this-call").mkdir()
    return screen


def heard(screen: _Screen, at: float, text: str, end: str = "\n") -> None:
    assert screen.folder is not None
    with (screen.folder / "transcript.jsonl").open("a") as file:
        file.write(json.dumps({"who": "agent", "text": text, "cut": False, "at": at}) + end)


def test_a_note_waits_for_the_lines_before_it_and_stands_on_the_call_s_clock(
    screen: _Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.note("   2.30  caller (cough): cough")
    screen.show()
    assert capsys.readouterr().out == ""
    heard(screen, 0.2, "first")
    heard(screen, 4.8, "second")
    screen.show()
    screen.note("   9.50  switch hangs up")
    screen.note("   9.60  agent is quiet (since 0.50 s)")
    screen.end()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == ["0.2s agent first", "1.8s · caller (cough): cough", "4.8s agent second", "9.0s · switch hangs up"]


def test_a_line_that_is_half_written_is_shown_when_it_is_whole(screen: _Screen, capsys: pytest.CaptureFixture[str]) -> None:
    heard(screen, 0.2, "first", end="")
    screen.show()
    assert capsys.readouterr().out == ""
    assert screen.folder is not None
    with (screen.folder / "transcript.jsonl").open("a") as file:
        file.write("\n")
    screen.show()
    assert capsys.readouterr().out.split() == ["0.2s", "agent", "first"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="nothing can be written there"):
        demo(["--out", str(tmp_path / "file")])
