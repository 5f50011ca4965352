from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from agentd.errors import FlowError
from agentd.flow import load
from agentd.flow.checks import problems
from agentd.flow.cli import check_main, graph_main

GOOD = '''
from __future__ import annotations
from agentd.flow import *
from agentd.flow import read

class Visit(Slots):
    day: SpokenTime | None = slot(ask="What day?", again="Which day?")
    time: SpokenTime | None = slot(ask="Which one?", again="Which, please?")

@read(tell="I have {offers}.", offers="time")
def free_times(context: Context, day: SpokenTime) -> list[Moment]:
    """Free times."""
    return []

STATES = [
    State("start", say="How can I help?"),
    State("booking", fills=Visit, tools=[free_times]),
    State("handover", say="One moment.", transfer="desk"),
    State("end", say="Goodbye.", final=True),
]
TRANSITIONS = [
    When("wants_visit", "start", "booking", "book an appointment"),
    When(FILLED, "booking", "end"),
    When("wants_human", "*", "handover", "speak to a person"),
    When("is_done", "start", "end", "goodbye"),
]
ANSWERS = [Answer("asks_hours", "We open at eight.", "when are you open")]
FLOW = Flow("mine", states=STATES, transitions=TRANSITIONS, answers=ANSWERS,
            help="hours", transfers={"desk": "+1"}, stuck="wants_human")
'''


def written(tmp_path: Path, text: str = GOOD) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


def test_a_flow_loads_by_name_and_by_path(tmp_path: Path) -> None:
    assert load("receptionist").name == "receptionist"
    assert load("flows.receptionist").name == "receptionist"
    assert load(written(tmp_path)).name == "mine"


BROKEN = [
    # what is written, what it becomes, the place, the complaint, the mend
    ('"start", "booking", "book', '"start", "boking", "book', "transition 'wants_visit'", "no state 'boking'",
     "did you mean 'booking'?"),
    ('When("wants_visit", "start"', 'When("wants_visit", "strt"', "transition 'wants_visit'", "no state 'strt'",
     "did you mean 'start'?"),
    ('say="Goodbye."', 'sya="Goodbye."', "mine.py:", "State has no 'sya'", "did you mean 'say'?"),
    ('stuck="wants_human")', 'stuck="want_human")', "Flow", "no trigger", "did you mean 'wants_human'?"),
    ('transfer="desk"', 'transfer="dusk"', "state 'handover'", "'dusk' is not configured", "transfers="),
    ('transfer="desk"', 'transfer="desk", unreached="strat"', "state 'handover'", "no state 'strat'", "did you mean 'start'?"),
    ('State("start", say', 'State("start", unreached="end", say', "state 'start'", "where nobody is called", "transfer="),
    ('ask="What day?", ', 'ask="", ', "slot Visit.day", "no question", "slot(ask="),
    ("fills=Visit", "fills=Visit, afresh=Slots", "state 'booking'", "no state fills", "afresh"),
    ("day: SpokenTime | None = slot", "day: list[int] | None = slot", "Visit.day", "cannot be heard", "SpokenTime"),
    ("day: SpokenTime | None = slot(ask=\"What day?\", again=\"Which day?\")", "day: SpokenTime", "Visit.day",
     "empty at first", "slot(ask"),
    ('"We open at eight."', '"We open on {dya}."', "answer 'asks_hours'", "{dya} that does not exist", "did you mean 'day'?"),
    ('"We open at eight."', '"We open on {day."', "answer 'asks_hours'", "no template", "{{"),
    ('"We open at eight."', '"We open on {day.x}."', "answer 'asks_hours'", "no plain name", "{slot}"),
    ('"when are you open"', '"Speak to a person!"', "state 'start'", "means both", "one of them"),
    ('offers="time"', 'offers="tiem"', "tool 'free_times'", "does not fill", "did you mean 'time'?"),
    ("context: Context, day: SpokenTime", "context: Context, dya: SpokenTime", "tool 'free_times'", "no slot",
     "did you mean 'day'?"),
    ("context: Context, day: SpokenTime", "context: Context, day", "mine.py:", "has no type", "SpokenTime"),
    ('tell="I have {offers}.", ', "", "tool 'free_times'", "no tell", "tell="),
    ("tools=[free_times]", "tools=[print]", "state 'booking'", "no tool", "@read"),
    ("from agentd.flow import read\n", "from agentd.flow import held as read\n", "mine.py:", "held has no 'offers'", "there"),
    ('State("end", say="Goodbye.", final=True)', 'State("end", say="Goodbye.")', "Flow", "no final state", "final=True"),
    ('When("wants_visit", "start", "booking", "book an appointment"),', "", "state 'booking'", "no call can get here", "When("),
    ('"wants_visit", "start", "booking", "book an appointment"', '"wants_visit", "start", "booking"', "'wants_visit'",
     "no phrases", "callers say"),
    ('"wants_visit", "start"', '"wants_visit", "end"', "'wants_visit'", "nothing leaves", "sources"),
    ('When("wants_visit"', 'When("stuck"', "'stuck'", "machine's own", "another name"),
    ('State("handover", say', 'State("start", say', "state 'start'", "two states", "rename"),
    ('help="hours"', 'help="hours", timezone="Europe/Lodnon"', "Flow", "no timezone", "Europe/London"),
    ('help="hours"', 'help="hours", recording="yes"', "Flow", "recording", "consent"),
    ('help="hours", ', "", "Flow", "what it can help with", "help="),
    ("FLOW = ", "FLOWS = ", "mine.py", "has no FLOW", "FLOW = Flow("),
    ("STATES = [", "STATES = [[", "mine.py:", "", "correct the line"),
    ("fills=Visit", "fills=Visit()", "state 'booking'", "no class of slots", "fills=Order"),
    ("tools=[free_times]", "tools=free_times", "state 'booking'", "tools= is no list", "tools=["),
    ("states=STATES", "states=STATES[0]", "Flow", "states= is no list", "states=[State"),
    ("transitions=TRANSITIONS", "transitions=[STATES]", "Flow", "transitions= is no list", "[When"),
    ('"booking", "book an appointment"', '"booking", ["book an appointment"]', "'wants_visit'", "no text", '"…", "…"'),
    ('"We open at eight.", "when are you open"', '"We open at eight.", ["when are you open"]', "answer 'asks_hours'", "no text",
     '"…", "…"'),
    ("from agentd.flow import read\n", "from agentd.flow import raed as read\n", "mine.py:", "fails to import", "'read'?"),
    ("from agentd.flow import *\n", "from agentd.flow import Context, Moment, Slots, SpokenTime, slot\n", "mine.py:",
     "fails to import", "from agentd.flow import State"),
    ('@read(tell="I have {offers}.", offers="time")', "@read", "mine.py:", "fails to import", "parentheses"),
    ("STATES = [", "import nonsense_that_is_not\nSTATES = [", r"mine.py:\d+", "fails to import", "correct it"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "where", "what", "mend"), BROKEN, ids=[f"{row[2]} {row[3]}" for row in BROKEN])
def test_what_cannot_work_is_refused_with_its_place_and_its_mend(
    tmp_path: Path, good: str, bad: str, where: str, what: str, mend: str
) -> None:
    assert good in GOOD
    with pytest.raises(FlowError) as caught:
        load(written(tmp_path, GOOD.replace(good, bad, 1)))
    error = caught.value
    assert "mine.py" in error.where
    assert re.search(where if where.endswith("+") else re.escape(where), error.where), error
    assert re.search(what, error.what) or what in error.what, error
    assert mend in error.mend, error


def test_a_name_that_is_no_flow_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(FlowError, match="did you mean 'receptionist'"):
        load("receptionst")
    with pytest.raises(FlowError, match="no such file"):
        load("nowhere/mine.py")


def test_the_flows_are_named_and_the_package_of_their_tools_is_not() -> None:
    with pytest.raises(FlowError) as caught:
        load("zzz")
    assert caught.value.mend == "there is: receptionist. A path ends in .py."


def test_a_state_that_falls_silent_once_it_knows_its_slots_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = GOOD.replace('When(FILLED, "booking", "end"),', "")
    assert check_main([str(written(tmp_path, silent))]) == 0
    assert "warning: state booking has nothing to say once it knows its slots" in capsys.readouterr().out
    for mended in (GOOD, silent.replace("fills=Visit", 'fills=Visit, ask="Anything else?"')):
        assert check_main([str(written(tmp_path, mended))]) == 0
        assert "has nothing to say" not in capsys.readouterr().out


def test_a_transfer_that_no_carrier_can_dial_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_main([str(written(tmp_path, GOOD.replace('"desk": "+1"', '"desk": "the desk"')))])
    assert "transfer target desk is 'the desk'" in capsys.readouterr().out
    check_main([str(written(tmp_path, GOOD.replace('"desk": "+1"', '"desk": "+12125550100"')))])
    assert "transfer target" not in capsys.readouterr().out


def test_a_state_that_only_a_failed_handover_leads_to_can_be_reached_and_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = 'State("nobody", say="Nobody is there.", ask="Anything else?"),\n    State("end"'
    back = GOOD.replace('State("end"', alone).replace('transfer="desk"', 'transfer="desk", unreached="nobody"')
    back = back.replace('"is_done", "start"', '"is_done", ["start", "nobody"]')
    path = str(written(tmp_path, back))
    assert check_main([path]) == graph_main([path]) == 0
    shown = capsys.readouterr().out
    assert "nobody takes it → nobody" in shown
    assert "handover --> nobody: nobody takes it" in shown


def test_a_file_that_failed_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    with pytest.raises(FlowError):
        load(written(tmp_path, "raise RuntimeError('no')"))
    assert {name for name in set(sys.modules) - before if name.startswith("flow_")} == set()


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("GREETING = 'Hello.'")
    flow = load(
        written(
            tmp_path,
            "from beside_it import GREETING\n"
            + GOOD.replace("from __future__ import annotations", "").replace('Flow("mine"', 'Flow("mine", greeting=GREETING'),
        )
    )
    assert flow.greeting == "Hello."


def test_the_receptionist_has_no_problem() -> None:
    assert list(problems(load("receptionist"))) == []


def test_check_and_graph_answer_with_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_main(["receptionist"]) == 0
    assert "all slots known → taken" in capsys.readouterr().out
    assert graph_main(["receptionist"]) == 0
    drawn = capsys.readouterr().out
    assert drawn.startswith("stateDiagram-v2\n")
    assert "any_state --> handover: wants_human “speak to a person” [not after hours]" in drawn
    assert check_main([str(written(tmp_path, GOOD.replace('"start", "end"', '"start", "edn"')))]) == 1
    assert "did you mean 'end'" in capsys.readouterr().err
    assert check_main([]) == graph_main(["a", "b"]) == 2
