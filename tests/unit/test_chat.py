"""`agentd flow chat`, driven by a pipe: what is typed, what is shown, and how it ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentd import chat, cli
from agentd.flow.new import scaffold

FRIDAY = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
Typed = Callable[..., list[str]]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A flow in the folder at hand, on a Friday."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # loading a flow makes the modules beside it known
    monkeypatch.setattr(chat, "now", lambda: FRIDAY)
    path, _ = scaffold("visit", Path())
    return path


@pytest.fixture
def typed(flow: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types some lines; gives what is printed, line by line."""

    def type_in(*lines: str, code: int = 0) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        assert cli.main(["flow", "chat", str(flow)]) == code
        printed = capsys.readouterr()
        assert code or not printed.err
        return printed.out.splitlines()

    return type_in


def said(lines: list[str], who: str) -> list[str]:
    return [line.removeprefix(who.ljust(chat.MARGIN)) for line in lines if line.startswith(who.ljust(chat.MARGIN))]


def columns(lines: list[str], effect: str) -> list[list[str]]:
    """The columns of an effect, each time they are shown."""
    return [line.partition(effect)[2].split() for line in lines if line.startswith(f"{' ' * chat.MARGIN}{effect}")]


TUESDAY = "i would like to book a visit on tuesday"
BOOKED = "You are booked for Tuesday the 24th. Is there anything else I can do for you?"
EFFECT = "book (day Tuesday the 24th)"


def test_a_turn_shows_what_was_asked_said_known_and_recorded(typed: Typed) -> None:
    assert typed(TUESDAY)[1:] == [
        "",
        "agent   Hello. I am an AI assistant. How can I help?",
        "flow    greeting",
        f"you     {TUESDAY}",
        f"tool    {EFFECT}: done",
        f"agent   {BOOKED}",
        "flow    booking, day: Tuesday the 24th",
        "ledger  effect                                        fact       verdict  told     why",
        "        book (day Tuesday the 24th)                   there      open     telling",
        "heard   all of it",
        "        book (day Tuesday the 24th)                   there      keep     told     told",
        "over    hangup",
    ]


def test_a_reply_that_is_cut_shows_what_was_heard_of_it_first(typed: Typed) -> None:
    lines = typed(TUESDAY, "/cut booked no, don't")
    cut = lines.index("you     /cut booked no, don't")
    assert lines[cut + 1 : cut + 4] == [
        "heard   You are booked —",
        "tool    book.undo (day Tuesday the 24th): done",
        "agent   All right. Is there anything else I can do for you?",
    ]
    assert columns(lines, EFFECT) == [["there", "open", "telling"], ["absent", "drop", "telling", "retracted"]]


def test_what_stops_nobody_is_said_to(typed: Typed) -> None:
    lines = typed(TUESDAY, "/cut booked uh huh")
    assert said(lines, "heard") == ["that stops nobody: the agent goes on", "all of it"]
    assert said(lines, "agent")[1:] == [BOOKED]


def test_a_question_leaves_it_open_and_what_is_owed_is_said_again(typed: Typed) -> None:
    lines = typed(TUESDAY, "/cut are how much is it", "")
    assert said(lines, "agent")[2] == "You are booked for Tuesday the 24th. Sorry, I can help with a visit."
    assert columns(lines, EFFECT)[-1] == ["there", "keep", "told", "told"]


def test_an_empty_line_hears_the_reply_out_and_the_next_one_says_nothing(typed: Typed) -> None:
    lines = typed("", "", "")
    assert said(lines, "heard") == ["all of it", "all of it"]
    assert said(lines, "agent")[1:] == ["Are you still there?"]


def test_hanging_up_leaves_what_was_being_told_in_doubt_and_shows_the_notice(typed: Typed) -> None:
    lines = typed(TUESDAY, "/hangup", "never read")
    assert columns(lines, EFFECT)[-1] == ["there", "keep", "telling", "doubt"]
    assert columns(lines, f"notice of {EFFECT}") == [["there", "keep", "no", "born"]]
    assert said(lines, "over") == ["hangup"]
    assert "you     never read" not in lines


@pytest.mark.parametrize("left", [("/quit",), ()])
def test_quitting_hears_the_reply_out(typed: Typed, left: tuple[str, ...]) -> None:
    assert columns(typed(TUESDAY, *left), EFFECT)[-1] == ["there", "keep", "told", "told"]


def test_an_interrupt_hangs_up_at_once(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.StringIO):
        def readline(self, *size: int) -> str:
            if line := super().readline(*size):
                return line
            raise KeyboardInterrupt

    monkeypatch.setattr(io, "StringIO", Interrupted)
    lines = typed(TUESDAY)
    assert said(lines, "over") == ["hangup"]
    assert columns(lines, EFFECT)[-1] == ["there", "keep", "telling", "doubt"]


def test_a_call_that_ends_by_itself_ends_the_chat(typed: Typed) -> None:
    lines = typed("goodbye", "", "never read")
    assert (said(lines, "agent")[-1], said(lines, "over")) == ("Thank you for calling. Goodbye.", ["completed"])
    assert "you     never read" not in lines


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/dance", "/dance is no command"),
        ("/cut", "/cut is no command, or wants other words"),
        ("/cut booked", "/cut is no command, or wants other words"),
        ("/quit now", "/quit is no command, or wants other words"),
        ("/cut elephant no", "'elephant' is not in the agent's reply: 'Hello. I am an AI assistant. How can I help?'"),
        ("…", "'…' has no words"),
    ],
)
def test_what_makes_no_sense_is_said_and_the_call_goes_on(typed: Typed, line: str, says: str) -> None:
    lines = typed(line, TUESDAY)
    assert said(lines, "?")[0].startswith(says)
    assert said(lines, "agent")[-1] == BOOKED


def test_a_reply_that_was_heard_cannot_be_cut(typed: Typed) -> None:
    assert said(typed("", "/cut help no"), "?") == ["the reply was heard out already."]


def test_help_names_every_command(typed: Typed) -> None:
    shown = "\n".join(typed("/help"))
    assert all(command in shown for command in ("/cut WORD text", "/hangup", "/quit", "/help", "an empty line"))


def test_nothing_is_wider_than_the_screen(typed: Typed, flow: Path) -> None:
    wide = "a day that is hard to say because its name is very long indeed and goes on and on without any end in sight"
    flow.write_text(flow.read_text().replace("How can I help?", f"It is {wide}. " * 3))
    lines = typed(TUESDAY, "", "/cut x y", "/help")
    assert max(map(len, lines)) <= chat.WIDTH


def test_what_a_tool_that_only_reads_has_found_is_shown(typed: Typed, flow: Path) -> None:
    reading = '''
@read(tell="It will be {result}.")
def weather(day: SpokenTime) -> str:
    """The weather."""
    return "sunny"


# ── Where'''
    text = flow.read_text().replace("compensable, slot", "compensable, read, slot").replace("\n# ── Where", reading)
    flow.write_text(text.replace("tools=[book]", "tools=[weather]"))
    assert said(typed(TUESDAY), "tool") == ["weather (day Tuesday the 24th): sunny"]


def test_what_a_tool_answers_is_shown(typed: Typed, flow: Path) -> None:
    text = flow.read_text().replace("import Context", "import ToolRefused, Context")
    flow.write_text(text.replace("BOOKED[context.effect] = str(day)", 'raise ToolRefused("it is taken")'))
    assert said(typed(TUESDAY), "tool") == [f"{EFFECT}: refused: it is taken"]


def test_a_call_that_is_handed_over_says_where_to(typed: Typed, flow: Path) -> None:
    text = flow.read_text().replace("STATES = [", 'STATES = [\n    State("desk", say="One moment.", transfer="desk"),', 1)
    text = text.replace("TRANSITIONS = [", 'TRANSITIONS = [\n    When("wants_human", "*", "desk", "a person"),', 1)
    text = text.replace('stuck="is_done",', 'stuck="is_done", transfers={"desk": "+12125550199"},')
    flow.write_text(text.replace("states=STATES", "states=[*STATES[1:], STATES[0]]"))
    assert said(typed("a person", ""), "over") == ["transferred, to desk (+12125550199)"]


def test_a_flow_that_cannot_work_is_one_sentence(typed: Typed, flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow.write_text(flow.read_text().replace('"greeting", "booking"', '"greting", "booking"'))
    assert cli.main(["flow", "chat", str(flow)]) == 1
    assert "agentd: visit.py: transition 'wants_visit': there is no state 'greting'" in capsys.readouterr().err


def test_a_flow_that_breaks_is_told_at_once_and_ends_with_its_place(
    flow: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.write_text(flow.read_text().replace('say="How can I help?"', 'say=lambda context: context.slots["nonsense"]'))
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    assert cli.main(["flow", "chat", str(flow)]) == 1
    printed = capsys.readouterr()
    assert said(printed.out.splitlines(), "broken")[0] == "the thinker: KeyError: 'nonsense'"
    assert "visit.py:40: this broke the call: KeyError: 'nonsense'. Mend: correct it." in printed.err
