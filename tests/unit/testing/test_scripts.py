"""Tests of flows as their authors write them, and what they are told when something breaks."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from agentd.errors import FlowError
from agentd.flow import Context, State, When
from agentd.testing import Conversation, beside, scripted
from tests.fakes import booking
from tests.unit.testing.flows import Office, a_flow

OFFICE = Office()
FLOW = a_flow(OFFICE)


@pytest.fixture
def words() -> str:
    return "i would like to book a visit on tuesday"


@scripted(FLOW)
async def test_a_script_is_a_test_and_has_fixtures(call: Conversation, words: str, tmp_path: Path) -> None:
    """It is."""
    await call.says(words)
    assert await call.hears() == "You are booked for Tuesday the 24th. Anything else?"
    assert tmp_path.is_dir()


def test_a_script_keeps_its_name_and_asks_for_its_fixtures_alone() -> None:
    script = test_a_script_is_a_test_and_has_fixtures
    assert (script.__name__, script.__doc__) == ("test_a_script_is_a_test_and_has_fixtures", "It is.")
    assert [*inspect.signature(script).parameters] == ["words", "tmp_path"]
    assert not inspect.iscoroutinefunction(script)


def test_a_script_that_fails_fails_with_its_own_error() -> None:
    @scripted(FLOW)
    async def fails(call: Conversation) -> None:
        assert call.state == "elsewhere"

    with pytest.raises(AssertionError, match="elsewhere"):
        fails()


def test_the_caller_hears_the_agent_out_and_hangs_up_when_the_script_ends() -> None:
    office, calls = Office(), list[Conversation]()

    @scripted(a_flow(office))
    async def books(call: Conversation) -> None:
        calls.append(call)
        await call.says("i would like to book a visit on tuesday")

    books()
    assert (calls[0].over, calls[0].outcome) == (True, "hangup")
    assert calls[0].heard == "You are booked for Tuesday the 24th. Anything else?"


# ── What breaks ──────────────────────────────────────────────────────────────────────────────────────────────────────


def say_nonsense(context: Context) -> str:
    return context.slots["nonsense"]  # type: ignore[no-any-return]


def is_nonsense(context: Context) -> bool:
    raise ZeroDivisionError("of nonsense")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"states": [State("greeting", say=say_nonsense), *FLOW.states[1:]]}, "KeyError: 'nonsense'"),
        ({"transitions": [When("is_done", "*", "goodbye", "goodbye", when=is_nonsense), *FLOW.transitions[:3]]},
         "ZeroDivisionError: of nonsense"),
    ],
    ids=["a text", "a condition"],
)  # fmt: skip
def test_what_breaks_in_a_flows_function_is_told_with_its_place(
    changes: dict[str, object], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    @scripted(a_flow(Office(), **changes))
    async def ends(call: Conversation) -> None:
        await call.says("goodbye")
        assert await call.hears() == "Goodbye."

    with pytest.raises(FlowError, match=f"test_scripts.py:[0-9]+: this broke the call: {what}. Mend: correct it") as broken:
        ends()
    assert isinstance(broken.value.__cause__, KeyError | ZeroDivisionError)
    assert not any(record.exc_info for record in caplog.records), "what is raised need not be logged"
    assert logging.getLogger("agentd.supervision").level == logging.NOTSET


def test_what_fails_in_a_tool_is_noted_where_its_test_fails() -> None:
    office = Office()

    @scripted(a_flow(office))
    async def books(call: Conversation) -> None:
        office.booked = None  # type: ignore[assignment]
        await call.says("i would like to book a visit on tuesday")
        assert "You are booked" in await call.hears()

    with pytest.raises(AssertionError) as failed:
        books()
    assert failed.value.__notes__[0].startswith("book, do: TypeError at flows.py:")


# ── What lies beside a test ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_flow_beside_a_test_is_loaded_and_checked(tmp_path: Path) -> None:
    text = 'from agentd.flow import *\nWORLD = []\nFLOW = Flow("x", states=[State("end", final=True)], transitions=[])\n'
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(FlowError, match="what it can help with"):
        beside(str(tmp_path / "test_mine.py"), "mine.py")
    (tmp_path / "mine.py").write_text(text.replace("transitions=[]", 'transitions=[], help="this"'))
    assert beside(str(tmp_path / "test_mine.py"), "mine.py").WORLD == []
    with pytest.raises(FlowError, match="there is no such file"):
        beside(str(tmp_path / "test_mine.py"), "yours.py")


# ── The world as it is ───────────────────────────────────────────────────────────────────────────────────────────────

REMOTE = """
from agentd.flow import *
from pydantic import BaseModel

class Visit(Slots):
    when: SpokenTime | None = slot(ask="When?")
    name: SpokenName | None = slot(ask="Who?")

class Appointment(BaseModel):
    when: SpokenTime
    name: SpokenName

AT = Service("URL", allow_private=True)
book = held(ask="Shall I book {when}?", tell="You are booked for {when}.", identity=["when"], ttl=300, honours_key=True)(
    AT.endpoint("POST /holds", name="book", args=Appointment, expires="expires_at"))
book.confirm(AT.endpoint("POST /holds/{effect}/confirm"))
book.cancel(AT.endpoint("DELETE /holds/{effect}"))
STATES = [State("start", fills=Visit, tools=[book], ask="Anything else?"), State("end", final=True)]
FLOW = Flow("remote", states=STATES, transitions=[When("is_done", "*", "end", "goodbye")], help="x", stuck="is_done")
"""


def test_a_tool_that_goes_over_the_network_is_asked_for_real(tmp_path: Path) -> None:
    with booking.process() as office:
        (tmp_path / "remote.py").write_text(REMOTE.replace("URL", office.url))
        flow = beside(str(tmp_path / "test_remote.py"), "remote.py").FLOW

        @scripted(flow)
        async def books(call: Conversation) -> None:
            await call.says("on tuesday at ten")
            await call.says("my name is john smith")
            assert await call.hears() == "Shall I book Tuesday the 24th at 10?"
            await call.says("yes")
            assert await call.hears() == "You are booked for Tuesday the 24th at 10. Anything else?"
            assert [(row.fact.value, row.verdict.value) for row in call.effects] == [("confirmed", "keep")]

        books()
        assert [asked["method"] for asked in office.asked()] == ["POST", "POST"]


def test_what_is_shipped_for_tests_needs_no_plugin(tmp_path: Path) -> None:
    lines = ["from agentd.testing import scripted, Conversation", "from tests.unit.testing.flows import Office, a_flow", "",
             "@scripted(a_flow(Office()))", "async def test_a_call(call: Conversation) -> None:",
             "    await call.says('goodbye')"]  # fmt: skip
    (tmp_path / "test_it.py").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:trio", "-p", "no:anyio", "test_it.py"]
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
