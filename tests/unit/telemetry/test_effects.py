"""What the ledger did, from the event log: on which turn it stands, what is new in it, and which tool call opened a row."""

from __future__ import annotations

import pytest

from agentd.messages import Mode, RowChanged, TakeBack, UseTool
from telemetry.effects import Rows, in_words
from telemetry.steps import CallSteps
from telemetry.turns import ClaimNote, DownNote, LateTool, RowNote, TellingNote, TurnRecord
from tests.unit.telemetry.script import Script, row
from tests.unit.telemetry.test_steps import read, turn, turns

BOOK = UseTool("b1", "book", {"day": "tuesday"})


def booking(*tools: UseTool | TakeBack) -> Script:
    """Turn 2 has asked for tools, by default to book."""
    return Script().greeted().wait(1).says("book tuesday").thinks(tools=tools or (BOOK,))


def booked() -> Script:
    """Turn 2 has booked, and is about to tell it."""
    script = booking()
    began = script.t
    script.wait(0.1).moved(row(fact="sent")).wait(0.2).moved(row()).tool(BOOK, began=began)
    return script.thinks("Anything else?").wait(0.05).began()


def columns(record: TurnRecord) -> list[tuple[str, str, str, str]]:
    rows = [note.row for note in record.ledger if isinstance(note, RowNote)]
    return [(row.effect, row.fact, row.verdict, row.cause) for row in rows]


def tellings(script: Script) -> list[tuple[str, bool]]:
    notes = [note for record in turns(script) for note in record.ledger]
    return [(note.what, note.again) for note in notes if isinstance(note, TellingNote)]


def test_each_change_of_a_row_stands_on_the_turn_in_which_it_happened() -> None:
    script = booked()
    at = script.t
    script.wait(0.5).reply_heard().wait(0.4).moved(row(verdict="keep", cause="told", told="told"))
    script.wait(1).says("take it back").moved(row("e2", "sent", "keep", "yes", kind="take_back")).hangs_up()
    assert columns(turn(script, 2)) == [
        ("e1", "sent", "open", ""),
        ("e1", "there", "open", ""),
        ("e1", "there", "keep", "told"),
    ]
    assert columns(turn(script, 3)) == [("e2", "sent", "keep", "yes")]
    assert turn(script, 2).ledger[-1].at == pytest.approx(at + 0.9)


def test_a_row_that_is_written_again_with_the_same_columns_says_nothing() -> None:
    script = booked().moved(row(), row("e2", "sent")).moved(row(), row("e2", "sent")).hangs_up()
    assert [name for name, *_ in columns(turn(script, 2))] == ["e1", "e1", "e2"]


def test_a_telling_is_followed_from_its_release_to_its_point() -> None:
    script = booked()
    segment = script.telling("e1")
    script.released(segment).wait(0.8).told(segment).hangs_up()
    notes = [note for note in turn(script, 2).ledger if isinstance(note, TellingNote)]
    assert [(note.what, note.mode, note.effect, note.text) for note in notes] == [
        ("released", "tell", "e1", "You are booked."),
        ("played", "tell", "e1", "You are booked."),
    ]
    assert notes[1].at - notes[0].at == pytest.approx(0.8)


def test_a_telling_that_is_cut_belongs_to_the_turn_that_was_cut() -> None:
    script = booked().wait(0.06).audible()
    segment, cut = script.telling("e1"), script.reply
    script.released(segment).wait(0.3).onset(0.2).held(segment.text, 3).wait(0.5).ended("how much is it")
    script.cut(segment).stopped(cut, segment.text, 3).hangs_up()
    assert [note.what for note in turn(script, 2).ledger if isinstance(note, TellingNote)] == ["released", "cut"]
    assert turn(script, 3).ledger == ()


def test_a_telling_is_told_again_where_the_caller_had_begun_to_hear_it() -> None:
    script = booked()
    for _ in range(2):
        segment = script.telling("e1")
        script.index += 1
        script.released(segment).wait(0.3).cut(segment, lost=True)
    script.released(script.telling("e1", "Shall I keep it?", Mode.CHECK)).hangs_up()
    assert tellings(script) == [("released", False), ("lost", False), ("released", True), ("lost", False), ("released", True)]


def test_asking_for_the_yes_and_telling_that_it_is_done_are_not_the_same_twice() -> None:
    script = booked().released(booked().telling("e1", "Shall I?", Mode.ASK))
    script.index += 1
    script.released(script.telling("e1", "It is done.")).hangs_up()
    assert tellings(script) == [("released", False), ("released", False)]


def doubts(script: Script) -> list[str | None]:
    notes = [note for record in turns(script) for note in record.ledger]
    return [
        note.doubt for note in notes if isinstance(note, RowNote | TellingNote) and (note.doubt or isinstance(note, RowNote))
    ]


def test_the_doubt_of_a_cut_telling_ends_with_the_next_one_or_with_the_verdict() -> None:
    script = booked()
    first, second = script.telling("e1"), script.telling("e1")
    script.released(first).cut(first).released(second).cut(second, lost=True)
    script.moved(row(verdict="keep", cause="assent", told="told")).moved(row(verdict="keep", cause="assent", stuck=True))
    assert doubts(script.hangs_up()) == [None, None, "cleared", "lost", None]


def test_a_call_that_ends_in_a_telling_leaves_its_doubt_to_the_verdict() -> None:
    script = booked()
    segment = script.telling("e1")
    script.released(segment).cut(segment).moved(row(verdict="keep", cause="doubt", told="telling"))
    assert doubts(script.hangs_up()) == [None, None, None]


def test_a_telling_that_is_not_so_any_more_is_refused() -> None:
    script = booked()
    segment = script.telling("e1")
    script.due(segment).refused(segment).hangs_up()
    assert tellings(script) == [("refused", False)]


def test_a_ledger_that_stays_down_is_told_once() -> None:
    script = booked().ledger_down().ledger_down().moved(row(verdict="keep", cause="told")).ledger_down().hangs_up()
    assert [type(note) for note in turn(script, 2).ledger[2:]] == [DownNote, RowNote, DownNote]


def test_a_claim_that_was_stopped_is_told() -> None:
    script = booked().claims("I have paid it.").hangs_up()
    (claim,) = [note for note in turn(script, 2).ledger if isinstance(note, ClaimNote)]
    assert claim.text == "I have paid it."


# ── A tool and its row ───────────────────────────────────────────────────────────────────────────────────────────────


def rows_of_tools(script: Script) -> dict[str, str | None]:
    return {tool.id: tool.row and tool.row.effect for record in turns(script) for tool in record.tools}


def test_a_tool_shows_its_row_as_the_turn_left_it() -> None:
    script = booked().wait(0.5).reply_heard().moved(row(verdict="keep", cause="told", told="told")).wait(1).hangs_up()
    (tool,) = turn(script, 2).tools
    assert tool.row == row(verdict="keep", cause="told", told="told")


def test_two_calls_of_one_tool_have_their_own_rows_whichever_is_done_first() -> None:
    other = UseTool("b2", "book", {"day": "wednesday"})
    look = UseTool("l1", "look", {})
    script = booking(BOOK, look, other)
    script.moved(row("e1", "sent")).moved(row("e2", "sent")).moved(row("e2")).tool(other, began=script.t, last=False)
    script.moved(row("e1")).tool(BOOK, began=script.t, last=False).tool(look, began=script.t).hangs_up()
    assert rows_of_tools(script) == {"b2": "e2", "b1": "e1", "l1": None}


def test_a_call_that_was_refused_at_once_opened_no_row() -> None:
    again = UseTool("b2", "book", {})
    script = booking(BOOK, again).tool(BOOK, began=0.0, status="refused", last=False)
    script.moved(row("e2")).tool(again, began=0.0).hangs_up()
    assert rows_of_tools(script) == {"b1": None, "b2": "e2"}


def test_a_call_that_the_flow_refused_takes_no_later_row() -> None:
    script = booking(UseTool("x", "book", {"day": 7}), UseTool("l1", "look", {}))
    script.tool(UseTool("l1", "look", {}), began=script.t).thinks(tools=(BOOK,)).moved(row()).tool(BOOK, began=script.t)
    assert rows_of_tools(script.hangs_up())["b1"] == "e1"


def test_what_the_ledger_opens_by_itself_belongs_to_no_call() -> None:
    script = booking().moved(row("e0.r", "sent"), row("e1", "sent")).tool(BOOK, began=100.0).hangs_up()
    assert rows_of_tools(script) == {"b1": "e1"}


def test_taking_back_is_a_tool_with_a_row_of_its_own() -> None:
    back = TakeBack("t1", "e1")
    script = booked().reply_heard().wait(1).says("take it back").thinks(tools=(back,))
    taken = row("e2", "sent", "keep", "yes", kind="take_back")
    script.moved(row("e1.old", "unsent", kind="take_back"), taken).tool(back, began=script.t).hangs_up()
    (tool,) = turn(script, 3).tools
    assert (tool.name, tool.args, tool.row) == ("take_back", {"effect": "e1"}, taken)


def test_a_tool_that_outlasts_its_turn_has_its_row_too() -> None:
    script = booking().moved(row(fact="sent"))
    reply = script.reply
    script.wait(0.2).onset().stopped().wait(1).ended("no on monday").thinks("Monday?").wait(0.05).speaks_out("Monday?")
    script.wait(1).says("yes please").wait(1).moved(row()).tool(BOOK, began=script.t - 3, reply=reply)
    (late,) = [over for over in read(script.entries) if isinstance(over, LateTool)]
    assert late.tool.row == row()


# ── After the end ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_calls_end_did_is_what_the_log_does_not_know() -> None:
    script, steps = booked().hangs_up(), CallSteps()
    for entry in script.entries:
        steps.feed(entry)
    gone, notice = row(fact="absent", verdict="drop", cause="ended"), row("e1.notice", "there", "keep", "born", kind="notice")
    assert [note.row for note in steps.effects.moved(script.t, (gone, notice)) if isinstance(note, RowNote)] == [gone, notice]
    assert steps.effects.moved(script.t, (gone, notice)) == []


def test_how_often_each_effect_was_told_is_known_at_the_end_and_of_a_notice_it_is_not() -> None:
    script, steps = booked().moved(row("e2", "unsent", kind="pivot"), row("e1.notice", kind="notice")), CallSteps()
    script.released(script.telling("e1"))
    for entry in script.entries:
        steps.feed(entry)
    assert steps.effects.tellings == {"e1": 1, "e2": 0}


def test_no_more_rows_are_remembered_than_the_most() -> None:
    rows = Rows(most=2)
    for name in ("a", "b", "a", "c"):
        list(rows.fresh([row(name)]))
    assert [rows.get(name) is not None for name in "abc"] == [True, False, True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (row(fact="unsent", kind="deferred"), "open, nothing done yet"),
        (row(fact="sent"), "open, being done"),
        (row(), "there, open"),
        (row(verdict="keep", cause="told"), "kept (told)"),
        (row(fact="unsent", verdict="keep", cause="told"), "kept (told), not done yet"),
        (row(fact="confirming", verdict="keep", cause="yes"), "kept (yes), being done"),
        (row(fact="confirmed", verdict="keep", cause="yes"), "kept (yes)"),
        (row(fact="absent", verdict="keep", cause="yes"), "kept (yes), failed for good"),
        (row(fact="undoing", verdict="drop", cause="retracted"), "letting go (retracted)"),
        (row(fact="absent", verdict="drop", cause="retracted"), "let go (retracted)"),
        (row(fact="sent", verdict="keep", stuck=True), "outcome unknown, a human must look"),
        (row(fact="unsent", verdict="keep", kind="notice"), "owed"),
        (row(fact="there", verdict="keep", kind="notice"), "sent"),
    ],
)
def test_a_row_reads_as_people_read_it(change: RowChanged, words: str) -> None:
    assert in_words(change) == words
