"""The docs' copies of the turn table are what the table says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from agentd.turn import graph
from agentd.turn.machine import EVENTS, IGNORED, TABLE
from agentd.turn.value import State


def test_the_readme_holds_what_is_generated() -> None:
    page = graph.README.read_text("utf-8")
    assert graph.refreshed(page) == page, "run python -m agentd.turn.graph --write"


@pytest.mark.parametrize("section", graph.SECTIONS)
def test_a_change_in_the_table_makes_the_readme_stale(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = graph.README.read_text("utf-8")
    monkeypatch.setitem(graph.SECTIONS, section, lambda: "other\n")
    assert graph.refreshed(page) != page
    assert graph.refreshed(page).count("<!--") == page.count("<!--")


def test_the_diagram_shows_every_row_that_leads_elsewhere() -> None:
    drawn = graph.mermaid()
    for row in TABLE:
        if row.to is not None:
            label = f"{row.on} [{', '.join(row.when)}]" if row.when else row.on
            assert re.search(rf"--> {row.to}: .*{re.escape(label)}", drawn), label


def test_the_diagram_is_a_state_diagram_whose_nodes_are_declared() -> None:
    first, *lines = graph.mermaid().splitlines()
    assert first == "stateDiagram-v2"
    known = {state.value for state in State} | {"[*]"}
    for line in lines:
        if declared := re.fullmatch(r'  state "[^"]+" as (\w+)', line):
            known.add(declared[1])
        else:
            edge = re.fullmatch(r"  (\S+) --> (\w+|\[\*\])(: [^:;#]+)?", line)
            assert edge, line
            assert {edge[1], edge[2]} <= known


def test_the_diagram_is_the_same_in_every_run() -> None:
    command = [sys.executable, "-m", "agentd.turn.graph"]
    again = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "1"})
    assert again.stdout == graph.mermaid()


def test_the_table_has_a_row_for_each_event_and_a_reason_for_each_ignore() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in graph.table_markdown().splitlines() if line.startswith("| ")]
    assert rows == ["event", *EVENTS]
    for reasons in IGNORED.values():
        assert all(reason in graph.table_markdown() for reason in reasons.values())


def test_every_default_has_a_reason() -> None:
    rows = [line for line in graph.defaults_markdown().splitlines() if line.startswith("| `")]
    assert rows
    assert all(len(row.split(" | ")[2]) > 10 for row in rows)


def test_printing_takes_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert graph.main([]) == 0
    assert capsys.readouterr().out == graph.mermaid()
    assert graph.main(["--wrong"]) == 2
    assert "agentd turn graph" in capsys.readouterr().err
