from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agentd.messages import Logged, RowChanged, Timer, UseTool
from telemetry import names
from telemetry.export import CallTrace, Telemetry
from telemetry.redaction import redact
from telemetry.turns import Clock
from tests.unit.telemetry.script import START, Script, row
from tests.unit.telemetry.test_steps import waiting

ZERO = 1_790_000_000_000_000_000


def trace(
    entries: list[Logged], *, content: bool = False, rows: tuple[RowChanged, ...] = (), **attributes: Any
) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    telemetry = Telemetry("agentd", None, content)
    call = telemetry.call("20261120-141502-123-7f3a9c01", attributes, Clock(START, ZERO), spans.append)
    for entry in entries:
        call.write(entry)
    call.close("hangup", {}, rows)
    assert {span["trace_id"] for span in spans} == {call.trace_id}
    assert 'agentd_telemetry_lost_total{what="entry"}' not in telemetry.render()
    return spans


def named(spans: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [span for span in spans if span["name"] == name]


def everything() -> list[Logged]:
    """Logs that hold between them every span, event and attribute there is."""
    use = UseTool("t1", "free_slots", {"day": "CANARY-args"})
    script = Script().greeted().wait(1).says("CANARY-caller may i").wait(0.1).onset(0.1).stopped().wait(1.22).ended("book")
    script.thinks(tools=(use,)).wait(0.5).timer(Timer.FILLER).wait(0.1).began().wait(0.4).heard("One moment.", filler=True)
    script.dry().wait(0.1).tool(use, began=script.t - 1, status="failed", result="CANARY-result").thinks("CANARY-agent says.")
    script.wait(0.05).began().wait(0.06).audible().wait(0.3).onset(0.2).held("CANARY-agent says.", 3).wait(0.4)
    script.ended("", voiced=0.1).wait(0.4).timer(Timer.RESUME).wait(0.1).began().wait(0.2).onset(0.2).wait(0.1)
    script.held("CANARY-agent says.", 3).partial("CANARY-partial no").stopped(script.reply, "CANARY-agent says.", 6)
    script.wait(0.6).ended("CANARY-partial no").wait(0.2).fails("ProviderError: thinker: CANARY-error").stopped()
    script.speaks("CANARY-again.").wait(6).timer(Timer.SILENCE).thinks("Still there?").wait(0.05).began().wait(0.1).audible()
    script.onset(0.2).held("Still there?", 3).wait(0.1).restarted("speaker", "EngineStalled: voice: CANARY-stall").stopped()
    script.wait(0.3).ended("", voiced=0.1).timer(Timer.SILENCE).thinks("Hello?").wait(0.1).began().wait(0.1).audible()
    script.onset(0.2).held("Hello?", 3).wait(0.1).down("voice").stopped()
    return script.wait(0.1).speaks_out("Sorry.").wait(0.6).timer(Timer.FAREWELL).hangs_up().entries


def effects() -> Script:
    """A log that holds all that the ledger may do in a call, and whose caller hangs up in the middle."""
    use = UseTool("t1", "book", {"day": "CANARY-args"})
    script = Script().greeted().wait(1).says("CANARY-caller book it").thinks(tools=(use,)).wait(0.1).moved(row(fact="sent"))
    script.wait(0.1).moved(row()).tool(use, began=script.t - 0.2, result="CANARY-result").thinks("CANARY-agent says.")
    script.wait(0.05).began().wait(0.06).audible()
    telling = script.telling("e1", "You are booked for CANARY-telling.")
    script.released(telling).wait(0.3).onset(0.2).held(telling.text, 3).wait(0.5).ended("how much is it").cut(telling)
    script.stopped(telling.reply, telling.text, 3).claims("CANARY-claim").thinks("Ten.").wait(0.1).began().wait(0.06).audible()
    again, gone = script.telling("e1", "You are booked for CANARY-telling."), script.telling("e2", "CANARY-telling")
    script.released(again).wait(1).told(again).due(gone).refused(gone, "CANARY-refused")
    return script.ledger_down("OSError: CANARY-down").wait(0.1).moved(row(told="told")).hangs_up()


CALL = {names.CALL_FLOW: "receptionist", names.CALL_CARRIER: "sautikit", names.MODEL: "m-1", names.PROVIDER: "acme"}


def test_a_call_is_one_trace_with_one_span_a_turn() -> None:
    spans = trace(Script().greeted().wait(1).says("when are you open").speaks("At nine.").wait(1).hangs_up().entries)
    assert len({span["trace_id"] for span in spans}) == 1
    assert len({span["span_id"] for span in spans}) == len(spans)
    (root,) = named(spans, "call")
    assert spans[-1] == root
    assert root["parent_id"] is None
    assert [turn["parent_id"] for turn in named(spans, "turn")] == [root["span_id"]] * 2
    (_, turn) = named(spans, "turn")
    children = [span["name"] for span in spans if span["parent_id"] == turn["span_id"]]
    assert children == ["caller.speech", "endpointing", "recognize", "think", "voice", "playback"]
    assert json.loads(json.dumps(spans)) == spans


def test_times_are_those_of_the_wall() -> None:
    spans = trace(Script().greeted().wait(1).says("when are you open").speaks("At nine.").wait(1).hangs_up().entries)
    (root,) = named(spans, "call")
    assert (root["start"], root["end"]) == (ZERO, ZERO + round(5.62e9))
    (endpointing,) = named(spans, "endpointing")
    assert endpointing["end"] - endpointing["start"] == pytest.approx(300_000_000, abs=1000)
    _, turn = named(spans, "turn")
    assert turn["attributes"][names.GAP] == pytest.approx(0.47)


def test_turns_are_given_while_the_call_is_live() -> None:
    spans: list[dict[str, Any]] = []
    call = Telemetry("agentd", None, False).call("x", {}, Clock(START, ZERO), spans.append)
    for entry in Script().greeted().wait(1).says("hello there").entries:
        call.write(entry)
    assert [span["name"] for span in spans] == ["think", "voice", "playback", "turn"]


def test_a_late_tool_hangs_from_its_own_turn() -> None:
    script = waiting()
    began, reply = script.t, script.reply
    script.wait(0.2).onset().stopped().wait(1).ended("no on monday").thinks("Monday?").wait(0.05).speaks_out("Monday?")
    script.wait(1).says("yes please").wait(1).tool(UseTool("t1", "free_slots", {}), began=began, reply=reply)
    spans = trace(script.hangs_up().entries)
    (tool,) = named(spans, "tool")
    assert tool["parent_id"] == named(spans, "turn")[1]["span_id"]


def test_a_barge_in_is_told_by_the_turn_that_it_cut() -> None:
    spans = trace(everything())
    events = [event for turn in named(spans, "turn") for event in turn["events"]]
    assert [event["at"] for event in named(spans, "turn")[1]["events"]] == sorted(
        event["at"] for event in named(spans, "turn")[1]["events"]
    )
    kinds = [event["name"] for event in events if event["name"].startswith("barge_in.")]
    assert kinds[:5] == [
        "barge_in.suspected",
        "barge_in.rejected",
        "barge_in.resumed",
        "barge_in.suspected",
        "barge_in.confirmed",
    ]
    (confirmed,) = [
        event for event in events if event["name"] == "barge_in.confirmed" and event["attributes"]["agentd.cause"] == "words"
    ]
    assert confirmed["attributes"] == {"agentd.cause": "words"}
    assert events[0]["name"] in {"reopened", "epoch.raised"}


def test_no_word_is_in_any_span_by_default() -> None:
    text = json.dumps(trace(everything(), **CALL) + trace(effects().entries))
    assert "CANARY" not in text
    assert not [name for name, (kind, _) in names.TABLE.items() if kind == "words" and f'"{name}"' in text]
    assert "EngineStalled" in text
    assert "ProviderError" in text


def test_a_name_that_a_model_made_up_is_no_way_around_it() -> None:
    use = UseTool("my card is", "the caller said 4111", {})
    script = Script().greeted().wait(1).says("is tuesday free").thinks(tools=(use,)).wait(1).hangs_up()
    text = json.dumps(trace(script.entries))
    assert "4111" not in text
    assert "card" not in text


def test_with_content_on_the_words_are_there_and_redacted() -> None:
    script = Script().greeted().wait(1).says("my number is 555 010 9999 or ann@example.com").speaks("Noted.").wait(1).hangs_up()
    (speech,) = named(trace(script.entries, content=True), "caller.speech")
    assert speech["attributes"][names.SPEECH_TEXT] == "my number is [number] or [email]"
    spans = trace(everything(), content=True)
    spans += trace(effects().entries, content=True)
    said = ("caller", "agent", "args", "result", "error", "telling", "claim", "refused", "down")
    assert {word for word in said if f"CANARY-{word}" not in json.dumps(spans)} == set()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("at 10:30 on the 3rd for 125 dollars", "at 10:30 on the 3rd for 125 dollars"),
        ("4111 1111 1111 1111 please", "[card] please"),
        ("4111-1111-1111-1111", "[card]"),
        ("+1 (555) 010-9999", "+[number]"),
        ("pin 1234", "pin [number]"),
        ("pin 123", "pin 123"),
        ("j.doe+x@mail.example.co.uk", "[email]"),
        ("john dot smith at example dot com", "[email]"),
        ("five five five, one two three four", "[number]"),
        ("one or two", "one or two"),
        ("٤١١١", "[number]"),
    ],
)
def test_what_names_or_pays_for_a_person_is_taken_out(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_redaction_takes_no_time_on_hostile_text() -> None:
    for text in ("1 " * 20_000, "a dot " * 20_000, "one " * 20_000, "@" * 20_000, "a@" * 20_000, "a at " * 20_000):
        redact(text)


# ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_change_of_a_row_is_an_event_with_its_columns() -> None:
    spans = trace(effects().entries)
    _, second, third = named(spans, "turn")
    assert [event["name"] for event in second["events"]] == [
        *("agentd.effect", "agentd.effect", "telling.released", "barge_in.suspected"),
        *("barge_in.confirmed", "epoch.raised", "telling.cut"),
    ]
    assert second["events"][1]["attributes"] == {
        names.TOOL_NAME: "book",
        names.EFFECT_ID: "e1",
        names.EFFECT_KIND: "compensable",
        names.EFFECT_FACT: "there",
        names.EFFECT_VERDICT: "open",
        names.EFFECT_TOLD: "no",
        names.EFFECT_STUCK: False,
        names.EFFECT_CAUSE: "",
    }
    told = [event for event in third["events"] if event["name"].startswith("telling.")]
    assert [(event["name"], event["attributes"][names.EFFECT_ID]) for event in told] == [
        ("telling.released", "e1"),
        ("telling.played", "e1"),
        ("telling.refused", "e2"),
    ]
    assert [event["attributes"].get(names.TELLING_AGAIN) for event in told] == [True, None, None]


def test_a_tool_shows_the_columns_of_the_row_that_it_opened() -> None:
    (tool,) = named(trace(effects().entries), "tool")
    shown = {name: tool["attributes"][name] for name in (names.EFFECT_ID, names.EFFECT_FACT, names.EFFECT_VERDICT)}
    assert shown == {names.EFFECT_ID: "e1", names.EFFECT_FACT: "there", names.EFFECT_VERDICT: "open"}


def test_what_the_calls_end_did_to_its_effects_stands_on_the_call() -> None:
    kept, notice = (
        row(verdict="keep", cause="doubt", told="told"),
        row("e1.notice", verdict="keep", cause="born", kind="notice"),
    )
    (root,) = named(trace(effects().entries, rows=(kept, notice)), "call")
    told = [(event["attributes"][names.EFFECT_ID], event["attributes"][names.EFFECT_CAUSE]) for event in root["events"]]
    assert told == [("e1", "doubt"), ("e1.notice", "born")]
    (root,) = named(trace(effects().entries, rows=(row(told="told"),)), "call")
    assert root["events"] == [], "the log has told this row as it is"


def test_what_the_last_words_did_when_the_line_was_gone_stands_on_the_call() -> None:
    script = effects()
    script.moved(row(fact="undoing", verdict="drop", cause="retracted", told="told"))
    (root,) = named(trace(script.entries, rows=(row(fact="absent", verdict="drop", cause="retracted", told="told"),)), "call")
    assert [event["attributes"][names.EFFECT_FACT] for event in root["events"]] == ["undoing", "absent"]


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────


def emitted(spans: list[dict[str, Any]]) -> dict[str, set[str]]:
    events = [event for span in spans for event in span["events"]]
    attributes: list[Mapping[str, Any]] = [*(s["attributes"] for s in spans), *(e["attributes"] for e in events)]
    return {
        "span": {span["name"] for span in spans},
        "event": {event["name"] for event in events},
        "attribute": {name for some in attributes for name in some},
    }


def documented(*kinds: str) -> set[str]:
    return {name for name, (kind, _) in names.TABLE.items() if kind in kinds}


def test_every_name_that_is_emitted_is_in_the_table_and_every_name_in_the_table_is_emitted() -> None:
    found = emitted(trace(everything(), content=True, **CALL) + trace(effects().entries, content=True))
    assert found["span"] == documented("span")
    assert found["event"] == documented("event")
    assert found["attribute"] == documented("attribute", "words")


def test_an_undocumented_attribute_is_left_out_and_counted() -> None:
    telemetry = Telemetry("agentd", None, False)
    spans: list[dict[str, Any]] = []
    call = telemetry.call("x", {"caller.number": "+15550109999", names.SPEECH_TEXT: "hm"}, Clock(START, ZERO), spans.append)
    call.close("hangup", {})
    assert list(spans[0]["attributes"]) == [names.CALL_ID, names.CALL_OUTCOME, names.CALL_TURNS]
    assert 'agentd_telemetry_lost_total{what="attribute"} 2' in telemetry.render()


def test_a_trace_never_raises() -> None:
    telemetry = Telemetry("agentd", None, False)

    def broken(span: dict[str, Any]) -> None:
        raise OSError("disk full")

    call: CallTrace = telemetry.call("x", {}, Clock(START, ZERO), broken)
    for entry in Script().greeted().wait(1).hangs_up().entries:
        call.write(entry)
    call.write(Logged(1.0, object(), "", "", None, "", ("think x",), (), ""))  # type: ignore[arg-type]
    call.close("hangup", {})
    call.close("hangup", {})
    text = telemetry.render()
    assert "agentd_calls_live 0" in text
    assert 'agentd_calls_total{outcome="hangup"} 1' in text
    assert 'agentd_telemetry_lost_total{what="entry"} 3' in text
