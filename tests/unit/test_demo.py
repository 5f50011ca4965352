"""The demo's screen: one conversation from two witnesses, in the order of its time; and its books, compared with the story."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agentd.demo import STORIES, _checked
from agentd.demo import main as demo
from agentd.demo.books import Books, Entry, short
from agentd.demo.screen import Screen
from agentd.errors import OperatorError
from agentd.ledger.row import Fact, Kind, Row, Told, Verdict, Why
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.store import open_store
from agentd.ledger.storage.vault import open_vault
from agentd.simulate.scenario import shipped


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    (tmp_path / "earlier-call").mkdir()
    screen = Screen(tmp_path)
    screen.note("   0.10  webhook (ringing): Stream, Redirect")
    screen.note("   0.50  stream opened (16000 Hz, mono)")
    (tmp_path / "this-call").mkdir()
    return screen


def heard(screen: Screen, at: float, text: str, end: str = "\n", **more: object) -> None:
    assert screen.folder is not None
    with (screen.folder / "transcript.jsonl").open("a") as file:
        file.write(json.dumps({"who": "agent", "text": text, "cut": False, "at": at, **more}) + end)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_note_waits_for_the_lines_before_it_and_stands_on_the_call_s_clock(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.note("   2.30  caller (cough): cough")
    screen.show()
    assert printed(capsys) == []
    heard(screen, 0.2, "first")
    heard(screen, 4.8, "second")
    screen.show()
    screen.note("   9.50  switch hangs up")
    screen.note("   9.60  agent is quiet (since 0.50 s)")
    screen.end()
    assert printed(capsys) == [
        "0.2s agent first",
        "1.8s · caller (cough): cough",
        "4.8s agent second",
        "9.0s · switch hangs up",
    ]


def test_a_line_that_is_half_written_is_shown_when_it_is_whole(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    heard(screen, 0.2, "first", end="")
    screen.show()
    assert printed(capsys) == []
    assert screen.folder is not None
    with (screen.folder / "transcript.jsonl").open("a") as file:
        file.write("\n")
    screen.show()
    assert printed(capsys) == ["0.2s agent first"]


def test_a_cut_is_marked_and_a_verdict_says_why_it_was_given(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    heard(screen, 1.0, "book (when Tuesday): there, open", who="ledger")
    heard(screen, 1.0, "You are booked for", cut=True)
    heard(screen, 2.0, "book (when Tuesday): let go (revised)", who="ledger")
    heard(screen, 3.0, "book (when Tuesday): kept (some_day)", who="ledger")
    heard(screen, 4.0, "taking back book (when Tuesday): kept (yes)", who="ledger")
    screen.end()
    assert printed(capsys) == [
        "1.0s ledger ▪ book (when Tuesday): held, and not kept yet",
        "1.0s agent You are booked for ✂",
        "2.0s ledger ▪ book (when Tuesday): let go: something else took its place",
        "3.0s ledger ▪ book (when Tuesday): kept: some_day",
        "4.0s ledger ▪ book (when Tuesday): taken back: the caller wanted it otherwise",
    ]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="nothing can be written there"):
        demo(["--out", str(tmp_path / "file")])


# ── The ledger at the end ────────────────────────────────────────────────────────────────────────────────────────────

TUESDAY = '{"when":"2026-11-24T10:00","name":"Ann"}'
BOOKED = Row(
    "a", "one", 0, "book", Kind.HELD, args=TUESDAY, fact=Fact.CONFIRMED, verdict=Verdict.KEEP, told=Told.TOLD, why=Why.YES
)
TAKEN_BACK = replace(BOOKED, id="b", seq=1, kind=Kind.TAKE_BACK, of="a", fact=Fact.THERE)
NOTICE = replace(BOOKED, id="c", seq=2, kind=Kind.NOTICE, of="a", args="{}", fact=Fact.UNSENT)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    file = tmp_path / "ledger.sqlite"
    store = open_store(f"sqlite:///{file}", open_vault("", file))
    store.write(CallFacts("one", "receptionist"), [replace(BOOKED, cuts=1), TAKEN_BACK, NOTICE])
    store.close()
    return Books(tmp_path)


def test_the_ledger_is_told_in_columns_of_what_the_caller_knows(books: Books) -> None:
    with books:
        assert [" ".join(line.split()) for line in books.table("one")] == [
            "book Tue 10:00 Ann confirmed keep yes told, cut 1 time",
            "take back book Tue 10:00 Ann there keep yes told",
        ]


def test_a_ledger_that_is_not_as_the_story_says_is_told_to_be_wrong(books: Books, tmp_path: Path) -> None:
    as_told = (
        Entry("book", "held", "Tue 10:00", "confirmed", "keep", "yes"),
        Entry("book", "take_back", "Tue 10:00", "there", "keep", "yes"),
    )
    story = replace(STORIES[0], ledger=as_told)
    with books:
        assert _checked(books, [tmp_path / "one"], [story]) == []
        assert "ledger holds" in _checked(books, [tmp_path / "one"], [replace(story, ledger=as_told[:1])])[0]
        assert "ledger holds nothing" in _checked(books, [tmp_path / "two"], [story])[0]
        assert "did not come through" in _checked(books, [None], [story])[0]


def test_each_story_has_its_scenario() -> None:
    assert {story.scenario for story in STORIES} <= set(shipped())


def test_a_time_is_told_by_its_weekday() -> None:
    assert (short("2026-11-24T10:00"), short("Ann")) == ("Tue 10:00", "Ann")
