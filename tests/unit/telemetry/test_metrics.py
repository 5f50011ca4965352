from __future__ import annotations

import re

from agentd.messages import Timer
from telemetry import names
from telemetry.metrics import Metrics
from tests.unit.telemetry.script import Script, row
from tests.unit.telemetry.test_effects import booked
from tests.unit.telemetry.test_steps import speaking, turns

LINE = re.compile(r'[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)+\})? -?[0-9.e+-]+')


def full() -> Metrics:
    metrics = Metrics()
    metrics.call_began()
    metrics.call_began()
    script = speaking().onset(0.2).held("We open at nine.", 7).wait(0.4).ended("", voiced=0.1)
    script.wait(0.3).timer(Timer.RESUME).wait(0.1).restarted("speaker").stopped().speaks("We open at nine.").wait(1).hangs_up()
    for turn in turns(script):
        metrics.turn(turn)
    metrics.call_ended('odd "outcome"\\\n')
    metrics.late(0.0)
    metrics.late(0.003)
    metrics.media(frames_in=500, frames_out=400, ring_dropped=3, holes=1)
    metrics.lost("span", 7)
    return metrics


def test_the_text_is_what_prometheus_reads() -> None:
    text = full().render()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.fullmatch(line), line


def test_what_is_counted_is_told() -> None:
    lines = full().render().splitlines()
    for line in (
        "agentd_calls_live 1",
        'agentd_calls_total{outcome="odd \\"outcome\\"\\\\\\n"} 1',
        'agentd_turns_total{why="opening"} 1',
        'agentd_turns_total{why="reply"} 1',
        'agentd_barge_ins_total{verdict="rejected"} 1',
        'agentd_actor_restarts_total{actor="speaker"} 1',
        'agentd_frames_total{direction="in"} 500',
        'agentd_frames_total{direction="out"} 400',
        "agentd_ring_dropped_total 3",
        "agentd_holes_total 1",
        'agentd_telemetry_lost_total{what="span"} 7',
        "agentd_gap_seconds_count 1",
        'agentd_gap_stage_seconds_count{stage="endpointing"} 1',
        'agentd_gap_stage_seconds_count{stage="wire"} 1',
    ):
        assert line in lines, line


def test_buckets_are_cumulative_and_end_with_all() -> None:
    lines = full().render().splitlines()
    counts = [int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("agentd_frame_late_seconds_bucket")]
    assert counts == sorted(counts)
    assert 'agentd_frame_late_seconds_bucket{le="0.001"} 1' in lines
    assert 'agentd_frame_late_seconds_bucket{le="0.005"} 2' in lines
    assert 'agentd_frame_late_seconds_bucket{le="+Inf"} 2' in lines
    assert "agentd_frame_late_seconds_sum 0.003" in lines


def test_every_metric_has_its_meaning_and_its_kind() -> None:
    text = full().render()
    told = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    assert told == {name: kind for name, (kind, _) in names.TABLE.items() if kind in {"counter", "gauge", "histogram"}}


# ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────


def told(script: Script) -> list[str]:
    """The metrics of a call that ends here."""
    metrics = Metrics()
    for turn in turns(script.hangs_up()):
        metrics.turn(turn)
    return metrics.render().splitlines()


def test_a_rolled_back_effect_counts_once_when_the_world_has_let_go_of_it() -> None:
    metrics = Metrics()
    retracted = {"verdict": "drop", "cause": "retracted"}
    metrics.rows((row(fact="undoing", **retracted),))
    assert "agentd_effects_rolled_back_total{" not in metrics.render()
    metrics.rows((row(fact="absent", **retracted), row("e2", "absent", "drop", "ended")))
    metrics.rows((row(fact="absent", told="asked", **retracted),))
    lines = metrics.render().splitlines()
    assert 'agentd_effects_rolled_back_total{cause="retracted"} 1' in lines
    assert 'agentd_effects_rolled_back_total{cause="ended"} 1' in lines


def test_what_a_call_and_the_janitor_tell_of_a_row_counts_once() -> None:
    script = booked().moved(row(fact="absent", verdict="drop", cause="retracted")).hangs_up()
    metrics = Metrics()
    for turn in turns(script):
        metrics.turn(turn)
    metrics.rows((row(fact="absent", verdict="drop", cause="retracted", told="telling"),))
    assert 'agentd_effects_rolled_back_total{cause="retracted"} 1' in metrics.render().splitlines()


def test_a_false_rollback_is_averted_by_telling_again_or_by_keeping() -> None:
    script = booked()
    first = script.telling("e1")
    script.index += 1
    again = script.telling("e1")
    lines = told(script.released(first).cut(first).released(again).cut(again).moved(row(verdict="keep", cause="assent")))
    assert 'agentd_false_rollbacks_averted_total{how="told_again"} 1' in lines
    assert 'agentd_false_rollbacks_averted_total{how="kept"} 1' in lines
    assert not [line for line in told(booked().moved(row(verdict="keep", cause="told"))) if line.startswith("agentd_false_")]


def test_doubt_is_counted_by_its_cause_and_each_once() -> None:
    script = booked()
    segment = script.telling("e1")
    script.released(segment).cut(segment).released(segment).cut(segment, lost=True).released(segment).cut(segment)
    lines = told(script.moved(row(verdict="keep", cause="doubt")).moved(row(verdict="keep", cause="doubt", told="told")))
    counted = [line for line in lines if line.startswith("agentd_effects_doubted_total{")]
    assert counted == [f'agentd_effects_doubted_total{{cause="{cause}"}} 1' for cause in ("cleared", "ended", "lost")]


def test_a_tombstone_is_an_undo_of_what_may_never_have_been_done() -> None:
    metrics = Metrics()
    metrics.rows((row(fact="sent"), row("e2", "there")))
    metrics.rows((row(fact="undoing", verdict="drop", cause="ended"), row("e2", "undoing", "drop", "ended")))
    assert "agentd_tombstones_total 1" in metrics.render().splitlines()


def test_claims_that_were_stopped_are_counted() -> None:
    assert "agentd_claims_stopped_total 2" in told(booked().claims("I have paid it.").claims("I have sent it."))


def test_the_ledger_is_counted_as_it_stands() -> None:
    metrics = Metrics()
    assert not [line for line in metrics.render().splitlines() if line.startswith("agentd_effects_open")], (
        "nobody has counted yet"
    )
    metrics.ledger(open=9, unsettled=9, stuck=9, stuck_s=9.0, owed=9, owed_s=9.0)
    metrics.ledger(open=1, unsettled=5, stuck=2, stuck_s=60.5, owed=3, owed_s=7.25)
    lines = metrics.render().splitlines()
    for line in (
        *("agentd_effects_open 1", "agentd_effects_unsettled 5", "agentd_effects_stuck 2", "agentd_effects_stuck_seconds 60.5"),
        *("agentd_notices_owed 3", "agentd_notices_owed_seconds 7.25"),
    ):
        assert line in lines, line


def test_tellings_are_counted_for_each_effect_of_a_call_that_is_over() -> None:
    metrics = Metrics()
    metrics.tellings([0, 1, 1, 3])
    lines = metrics.render().splitlines()
    assert 'agentd_effect_tellings_bucket{le="1"} 3' in lines
    assert "agentd_effect_tellings_sum 5" in lines
