from __future__ import annotations

from typing import Any

import pytest

from agentd.messages import Timer, UseTool
from telemetry.transcript import Transcript
from tests.unit.telemetry.script import Script, row
from tests.unit.telemetry.test_effects import booked
from tests.unit.telemetry.test_steps import speaking, waiting


def read(script: Script) -> list[dict[str, Any]]:
    transcript = Transcript()
    return [line for entry in script.entries for line in transcript.feed(entry)]


def said(script: Script) -> list[tuple[int, str, str, bool]]:
    return [(line["turn"], line["who"], line["text"], line["cut"]) for line in read(script)]


def test_a_line_has_its_times() -> None:
    script = Script().greeted().wait(1).says("when are you open").speaks("At nine.").wait(1).hangs_up()
    near = pytest.approx
    assert read(script) == [
        {"turn": 1, "who": "agent", "text": "Hello.", "cut": False, "at": near(0.15)},
        {
            "turn": 2,
            "who": "caller",
            "text": "when are you open",
            "cut": False,
            "at": near(2.15),
            "delay": 0.3,
            "why": "complete",
        },
        {"turn": 2, "who": "agent", "text": "At nine.", "cut": False, "at": near(3.62), "gap": near(0.47)},
    ]


def test_the_callers_line_is_given_when_the_reply_begins_to_be_heard() -> None:
    script = Script().greeted().wait(1).says("when are you open").thinks("At nine.").wait(0.05).began()
    assert len(read(script)) == 1
    assert [line["text"] for line in read(script.wait(0.06).audible())] == ["Hello.", "when are you open"]


def test_a_reopened_turn_has_one_line_with_all_its_words() -> None:
    script = Script().greeted().wait(1).says("i would like").wait(0.1).onset(0.1).stopped().wait(1.22)
    script.ended("an appointment").speaks("Sure.").wait(1).hangs_up()
    assert said(script)[1:] == [(2, "caller", "i would like an appointment", False), (2, "agent", "Sure.", False)]
    assert read(script)[1]["at"] == pytest.approx(2.15)
    assert read(script)[2]["gap"] == pytest.approx(0.47)


def test_the_heard_part_of_a_cut_reply_comes_before_the_words_that_cut_it() -> None:
    script = speaking().onset(0.2)
    cut = script.reply
    script.held("We open at nine.", 7).wait(0.5).ended("no wait").stopped(cut, "We open at nine.", 7).speaks("Yes?").hangs_up()
    assert said(script)[2:] == [(2, "agent", "We open", True), (3, "caller", "no wait", False), (3, "agent", "Yes?", False)]
    assert [line["at"] for line in read(script)] == sorted(line["at"] for line in read(script))


def test_a_resumed_line_stands_where_it_began() -> None:
    script = speaking()
    began = script.t - 0.5
    script.onset(0.2).held("We open at nine.", 7).wait(0.4).ended("", voiced=0.1).wait(0.4).timer(Timer.RESUME)
    script.wait(0.02).began().wait(0.8).heard("We open at nine.").reply_heard().hangs_up()
    assert read(script)[-1]["at"] == pytest.approx(began - 100, abs=1e-3)


def test_neither_fillers_nor_tools_leave_a_line() -> None:
    use = UseTool("t1", "free_slots", {})
    script = waiting().wait(0.5).timer(Timer.FILLER).wait(0.1).began().wait(0.5).heard("One moment.", filler=True).dry()
    script.wait(0.2).tool(use, began=script.t).speaks("It is.").wait(1).hangs_up()
    assert said(script)[1:] == [(2, "caller", "is tuesday free", False), (2, "agent", "It is.", False)]
    assert read(script)[2]["gap"] == pytest.approx(0.32 + 0.1 + 0.5 + 0.1), "what the caller waited for is the filler"


def test_a_retry_does_not_say_the_callers_line_twice() -> None:
    script = Script().greeted().wait(1).says("when are you open").wait(0.5).fails().stopped().speaks("At nine.").hangs_up()
    assert [line[2] for line in said(script)] == ["Hello.", "when are you open", "At nine."]
    script = speaking().restarted("speaker").stopped().speaks("We open at nine.").hangs_up()
    assert [line[2] for line in said(script)] == ["Hello.", "when are you open", "We open at nine."]


def test_keys_are_a_line() -> None:
    script = Script().greeted().wait(1).key("4").wait(0.5).key("2").wait(1.5).timer(Timer.KEYS).speaks("Forty-two.").hangs_up()
    line = read(script)[1]
    assert (line["who"], line["text"], line["why"], line["delay"]) == ("caller", "4 2", "keys", 1.5)
    assert read(script)[2]["gap"] == pytest.approx(1.65)


def test_the_last_words_of_the_caller_are_given_when_the_call_ends() -> None:
    assert said(Script().greeted().wait(1).says("bye then").hangs_up())[-1] == (2, "caller", "bye then", False)


def test_what_is_held_back_is_given_when_the_log_is_cut() -> None:
    transcript = Transcript()
    for entry in Script().greeted().wait(1).says("bye then").entries:
        transcript.feed(entry)
    assert [line["text"] for line in transcript.end()] == ["bye then"]
    assert transcript.end() == []


def test_prompts_have_no_gap() -> None:
    script = Script().greeted().wait(6).timer(Timer.SILENCE).speaks("Are you there?").hangs_up()
    assert all("gap" not in line for line in read(script))


def test_a_reply_that_was_heard_before_it_was_known_to_be_audible_stands_behind_its_question() -> None:
    script = Script().greeted().wait(1).says("are you open").thinks("Yes.").wait(0.05).began().wait(0.05).onset(0.2)
    script.heard("Yes.").held().wait(0.4).ended("", voiced=0.1).wait(0.4).timer(Timer.RESUME).reply_heard().wait(1).hangs_up()
    assert said(script)[1:] == [(2, "caller", "are you open", False), (2, "agent", "Yes.", False)]


# ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


def ledger(script: Script) -> list[str]:
    return [text for _, who, text, _ in said(script) if who == "ledger"]


def test_an_effect_has_a_line_for_each_state_in_which_it_rests() -> None:
    script = booked().moved(row(told="telling")).moved(row(verdict="keep", cause="told", told="told")).wait(1)
    script.moved(row("e2", "unsent", "keep", "yes", kind="take_back")).moved(row("e2", "sent", "keep", "yes", kind="take_back"))
    script.moved(row("e2", "there", "keep", "yes", kind="take_back")).hangs_up()
    assert ledger(script) == [
        *("book: there, open", "book: kept (told)", "book: kept (yes), not done yet", "book: kept (yes)"),
    ]


def test_a_line_names_the_effect_as_the_machine_does() -> None:
    script = booked().moved(row("e7"), line="book (day tuesday): DONE, not yet heard: say it first.")
    assert ledger(script.moved(row("e7", "absent", "drop", "retracted")).hangs_up())[1:] == [
        *("book (day tuesday): there, open", "book (day tuesday): let go (retracted)"),
    ]


def test_a_ledgers_line_has_its_turn_and_its_time_and_stands_behind_the_words_that_brought_it_about() -> None:
    script = Script().greeted().wait(1).says("book tuesday").moved(row())
    at = script.t
    script.speaks("You are booked.").wait(1).hangs_up()
    assert said(script)[1:] == [
        (2, "caller", "book tuesday", False),
        (2, "ledger", "book: there, open", False),
        (2, "agent", "You are booked.", False),
    ]
    assert read(script)[2]["at"] == pytest.approx(at - 100, abs=1e-3)


def test_a_line_of_the_ledger_stays_behind_the_words_that_go_on() -> None:
    script = Script().greeted().wait(1).says("book tuesday").moved(row()).wait(0.1).onset(0.1).stopped().wait(1.22)
    script.ended("at ten").speaks("You are booked.").hangs_up()
    assert [(who, text) for _, who, text, _ in said(script)[1:3]] == [
        ("caller", "book tuesday at ten"),
        ("ledger", "book: there, open"),
    ]


def test_what_the_calls_end_did_to_its_effects_ends_the_transcript() -> None:
    transcript = Transcript()
    for entry in booked().hangs_up().entries:
        transcript.feed(entry)
    left = (row(fact="undoing", verdict="drop", cause="ended"), row("e1.notice", "unsent", "keep", "born", kind="notice"))
    webhook = row("w", "unsent", "keep", "born", kind="webhook", tool="after_call")
    lines = transcript.end((*left, row("e2"), webhook))
    assert [line["text"] for line in lines] == ["book: letting go (ended)", "notice of book: owed", "book: there, open"]
    assert {line["turn"] for line in lines} == {2}
