"""A row in the words of its tool, also where the tool has changed since."""

from __future__ import annotations

from datetime import datetime

from agentd.flow import EffectTool, Flow, Slots, SpokenTime, State, When, compensable, read, slot
from agentd.flow.telling import changes, label, telling, trigger
from agentd.ledger.row import Kind, Row
from agentd.messages import Effect, Mode, RowChanged

NOON = datetime.fromisoformat("2026-11-20T12:00-05:00")
ARGS = '{"when": "2026-11-24T10:00", "note": null}'


class Visit(Slots):
    when: SpokenTime | None = slot(ask="When?")


@compensable(tell="Booked {when}.", identity=["when"], then="booked", undone="{when} is free again.")
def book(when: SpokenTime, note: str | None = None) -> None: ...


@book.undo
def unbook() -> None: ...


@read(tell="{result}")
def look(when: SpokenTime) -> str:
    return ""


FLOW = Flow(
    "test",
    states=[State("start", fills=Visit, tools=[look, book]), State("end", final=True)],
    transitions=[When("booked", "start", "end")],
    help="x",
)


def effect(kind: str = "compensable") -> Effect:
    return Effect("r1", "book", kind, {"when": "2026-11-24T10:00"}, None, "open", "")


def row(tool: str = "book", kind: Kind = Kind.COMPENSABLE, args: str = ARGS) -> Row:
    return Row("r1", "c1", 0, tool, kind, args=args)


def change(kind: str, tool: str = "book") -> RowChanged:
    return RowChanged("r1", tool, kind, "there", "keep", "told", False, "told", final=True)


def test_only_effects_change_the_world() -> None:
    assert [changes(FLOW, name) for name in ("book", "look", "nothing")] == [True, False, False]
    assert isinstance(FLOW.tools["book"], EffectTool)


def test_what_is_taken_back_is_told_as_that() -> None:
    assert telling(FLOW, effect(), Mode.TELL, NOON).text == "Booked Tuesday the 24th at 10."
    assert telling(FLOW, effect("take_back"), Mode.TELL, NOON).text == "Tuesday the 24th at 10 is free again."


def test_an_effect_that_is_done_leads_on_and_a_take_back_does_not() -> None:
    assert [trigger(FLOW, change("compensable")), trigger(FLOW, change("take_back"))] == ["booked", ""]
    assert trigger(FLOW, change("compensable", "gone")) == ""


def test_an_effect_is_called_by_its_tool_and_the_values_that_are_known() -> None:
    assert label(FLOW, row(), NOON) == "book (when Tuesday the 24th at 10)"
    assert label(FLOW, row(kind=Kind.TAKE_BACK), NOON) == "taking back book (when Tuesday the 24th at 10)"


def test_it_is_called_something_whatever_became_of_its_tool() -> None:
    assert label(FLOW, row("gone"), NOON) == "gone"
    assert label(FLOW, row(args='{"day": "soon", "when": "soon"}'), NOON) == "book (day soon, when soon)"
