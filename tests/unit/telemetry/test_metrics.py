from __future__ import annotations

import re

from agentd.messages import Timer
from telemetry import names
from telemetry.metrics import Metrics
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
