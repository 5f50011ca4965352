"""Effects in people's words: each has one fate, and nothing is called done that may not be so."""

from __future__ import annotations

import pytest

from agentd.handoff.effects import Fate, brief, by_fate, fate, settled, whole, written
from agentd.ledger.row import Fact, Kind, Verdict
from tests.unit.handoff.desk import DROPPED, FLOW, KEPT, NOW, effect, over, row

STATES = {
    "running": Fate.OPEN,
    "open": Fate.OPEN,
    "asking": Fate.OPEN,
    "waiting": Fate.OPEN,
    "keeping": Fate.OPEN,
    "kept": Fate.DONE,
    "dropping": Fate.OPEN,
    "dropped": Fate.UNDONE,
    "failed": Fate.UNDONE,
    "unknown": Fate.UNKNOWN,
    "taken_back": Fate.UNDONE,
}


@pytest.mark.parametrize(("state", "became"), STATES.items())
def test_only_what_is_kept_and_done_is_done(state: str, became: Fate) -> None:
    assert fate(effect(state)) is became


def test_a_taking_back_that_is_done_is_told_by_what_it_took_back_and_by_itself_until_then() -> None:
    done, pending = effect("kept", kind="take_back"), effect("keeping", kind="take_back")
    assert by_fate((effect("taken_back"), done))[Fate.UNDONE] == [effect("taken_back")]
    assert by_fate((done,))[Fate.DONE] == []
    assert by_fate((pending,))[Fate.OPEN] == [pending]
    assert brief(FLOW, pending, NOW) == "taking back book Tuesday the 24th"


def test_in_short_an_effect_is_what_its_caller_is_told_and_whole_it_is_all_that_was_asked() -> None:
    assert brief(FLOW, effect("kept"), NOW) == "book Tuesday the 24th"
    assert whole(FLOW, effect("kept"), NOW) == "book, when Tuesday the 24th, name Jane Doe"
    assert brief(FLOW, effect("kept", "join_list", name="Jane Doe"), NOW) == "join list"


def test_an_effect_whose_tool_is_gone_is_told_as_it_stands() -> None:
    gone = effect("kept", "ring_back", number="+1555", often=2, never=None)
    assert brief(FLOW, gone, NOW) == "ring back"
    assert whole(FLOW, gone, NOW) == whole(None, gone, NOW) == "ring back, number +1555, often 2"


def test_an_effect_is_written_with_its_columns_and_what_became_of_it() -> None:
    entry, *_ = written(FLOW, over(row("r1", **KEPT, noticed=True)), NOW)
    assert entry == {
        "id": "r1", "tool": "book", "kind": "held", "label": "book, when Tuesday the 24th, name Jane Doe", "fate": "done",
        "fact": "confirmed", "verdict": "keep", "told": "told", "cause": "yes", "stuck": False, "notice": True,
    }  # fmt: skip


def test_notices_and_webhooks_are_no_effects_of_a_call_and_do_not_keep_it_from_being_settled() -> None:
    book = over(
        row("r1", **KEPT), row("n", 1, Kind.NOTICE, verdict=Verdict.KEEP), row("w", 2, Kind.WEBHOOK, verdict=Verdict.KEEP)
    )
    assert [entry["id"] for entry in written(FLOW, book, NOW)] == ["r1"]
    assert settled(book)


def test_what_is_stuck_or_under_way_is_not_settled() -> None:
    under_way = {**DROPPED, "fact": Fact.UNDOING}
    assert settled(over(row("r1", **DROPPED)))
    assert not settled(over(row("r1", **KEPT), row("r2", 1, **under_way)))
    assert [entry["fate"] for entry in written(FLOW, over(row("r1", **under_way, stuck=True)), NOW)] == ["not_known"]
