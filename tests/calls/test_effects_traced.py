"""What a whole call with effects leaves to be read: its spans, its transcript and its counts, from the conductor's own log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from agentd.ledger.book import Book, changes
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import open_store
from agentd.ledger.storage.vault import open_vault
from agentd.messages import TakeBack, ThinkRequest
from agentd.offload import Inline
from telemetry import names
from telemetry.export import Telemetry
from telemetry.transcript import Transcript
from telemetry.turns import Clock
from tests.calls.effects import World, flow
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import Round, Script, tool


def undo(request: ThinkRequest) -> Round:
    return Round(proposals=(TakeBack("undo-1", request.effects[0].id),))


SCRIPT: dict[str, Any] = {
    "book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("anything else?")),
    "how much is it": "ten dollars",
    "cancel my appointment": (undo, Round("fine")),
    "text me": (Round(proposals=tool("text", day="tuesday")), Round("ok")),
}


async def played(tmp_path: Path) -> Scene:
    """A booking is told, cut by a question, told again and kept; it is taken back; a text is being told at the hang-up."""
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}", open_vault("", tmp_path / "ledger.sqlite"))
    async with telephone_call(flow(World(0.2)), Script(SCRIPT), ledger=Ledger(store, Inline())) as scene:
        await scene.phone.quiet()
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.say("how much is it")
        await scene.phone.said()
        await scene.phone.quiet(1.0)
        scene.phone.say("cancel my appointment")
        await scene.phone.quiet(1.0)
        scene.phone.say("text me")
        await scene.phone.hears("will")
    store.close()
    return scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The call, played once, in virtual time."""
    return trio.run(played, tmp_path_factory.mktemp("call"), clock=MockClock(autojump_threshold=0))


def left(scene: Scene) -> Any:
    return changes(Book("call-1"), scene.call.book)


def traced(scene: Scene) -> tuple[list[dict[str, Any]], list[str]]:
    """The call's spans and the metrics' lines."""
    spans: list[dict[str, Any]] = []
    telemetry = Telemetry("agentd", None, False)
    call = telemetry.call("call-1", {}, Clock(scene.log.entries[0].at, 0), spans.append)
    for entry in scene.log.entries:
        call.write(entry)
    call.close(scene.outcome, {}, left(scene))
    return spans, telemetry.render().splitlines()


def happened(span: dict[str, Any]) -> list[str]:
    """What the ledger did, in the order of its events."""
    columns = (names.EFFECT_FACT, names.EFFECT_VERDICT, names.EFFECT_CAUSE)
    told = []
    for event in span["events"]:
        if event["name"] == names.EFFECT:
            told.append(" ".join(filter(None, (event["attributes"][name] for name in columns))))
        elif event["name"].startswith("telling."):
            told.append(event["name"])
    return told


def test_each_turn_tells_what_the_ledger_did_in_it_and_the_call_what_its_end_did(scene: Scene) -> None:
    spans, _ = traced(scene)
    turns = [happened(span) for span in spans if span["name"] == "turn"]
    told = ["there open", "telling.released"]  # that it is being told is on record first
    assert turns[1] == ["sent open", "there open", *told, "telling.cut"]
    assert turns[2] == ["telling.released", "telling.played", "there keep told"]
    assert turns[3][:4] == ["sent keep yes", "there keep yes", "there keep yes", "telling.released"]
    assert turns[4][:3] == ["unsent open", "unsent open", "telling.released"]
    (root,) = [span for span in spans if span["name"] == "call"]
    assert "keep doubt" in " ".join(happened(root))


def test_each_tool_shows_the_row_that_it_opened(scene: Scene) -> None:
    spans, _ = traced(scene)
    tools = {span["attributes"][names.TOOL_NAME]: span["attributes"] for span in spans if span["name"] == "tool"}
    assert set(tools) == {"book", "take_back", "text"}
    shown = {name: (of[names.EFFECT_KIND], of[names.EFFECT_FACT], of[names.EFFECT_VERDICT]) for name, of in tools.items()}
    assert shown["book"] == ("compensable", "there", "open")
    assert shown["take_back"] == ("take_back", "there", "keep")
    assert shown["text"][0] == "deferred"
    ids = {row.effect: row.tool for row in left(scene)}
    assert ids[str(tools["book"][names.EFFECT_ID])] == "book"


def test_the_transcript_tells_what_became_of_each_effect(scene: Scene) -> None:
    transcript = Transcript()
    lines = [line for entry in scene.log.entries for line in transcript.feed(entry)] + transcript.end(left(scene))
    told = [line["text"].partition(": ") for line in lines if line["who"] == "ledger"]
    assert [(label, state) for label, _, state in told][:5] == [
        ("book (day tuesday)", "there, open"),
        ("book (day tuesday)", "kept (told)"),
        ("taking back book (day tuesday)", "kept (yes)"),
        ("text (day tuesday)", "open, nothing done yet"),
        ("text (day tuesday)", "kept (doubt)"),
    ]


def test_the_call_is_counted(scene: Scene) -> None:
    _, lines = traced(scene)
    for line in (
        'agentd_false_rollbacks_averted_total{how="told_again"} 1',
        'agentd_effects_doubted_total{cause="cleared"} 1',
        'agentd_effects_doubted_total{cause="ended"} 1',
        "agentd_effect_tellings_count 3",
        "agentd_effect_tellings_sum 4",
    ):
        assert line in lines, line
    assert not [
        line for line in lines if line.startswith(("agentd_effects_rolled_back_total{", "agentd_telemetry_lost_total{"))
    ]
