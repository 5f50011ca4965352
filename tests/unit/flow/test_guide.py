"""The guide does what it says: its commands print what it shows, and its tools are a flow that loads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentd.flow import load

GUIDE = Path(__file__).resolve().parents[3] / "flows" / "README.md"

BEFORE = """
from __future__ import annotations
from pydantic import BaseModel
from agentd.flow import *

class Visit(Slots):
    wanted: SpokenTime | None = slot(ask="When?")
    time: SpokenTime | None = slot(ask="Which one?")
    name: SpokenName | None = slot(ask="Who?")
    phone: SpokenPhone | None = slot(ask="What number?")
    deposit: SpokenNumber | None = slot(ask="How much?")

async def office(request: str, key: str, body: object = None) -> dict[str, str]: ...
"""

BEHIND = """
TOOLS = [free_times, book, join_waiting_list, text, take_deposit, call_back]
STATES = [State("start", fills=Visit, tools=TOOLS), State("booked", ask="Anything else?"), State("end", final=True)]
TRANSITIONS = [When("is_booked", "start", "booked"), When("is_done", "*", "end", "goodbye")]
FLOW = Flow("guide", states=STATES, transitions=TRANSITIONS, help="x", stuck="is_done")
"""

YOU = "you".ljust(8)
"""Before what is typed in a chat."""


def section(title: str) -> str:
    return GUIDE.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The language and the text of each code block."""
    return ((block[1], block[2]) for block in re.finditer(r"```(\w+)\n(.*?)```", text, re.DOTALL))


def test_the_tools_of_the_guide_are_a_flow_that_loads(tmp_path: Path) -> None:
    code = [text for _, text in blocks(section("Tools"))]
    path = tmp_path / "guide.py"
    path.write_text("\n".join([BEFORE, *code, BEHIND]))
    flow = load(path)
    assert {tool.kind for tool in flow.tools.values()} == {"read", "compensable", "held", "deferred", "pivot"}
    assert len(code) == 6


# ── From nothing to a tested flow ────────────────────────────────────────────────────────────────────────────────────


def lasting(printed: str) -> list[str]:
    """What a command prints on any day and on any machine: without the days that are near, how long it took, and spaces."""
    printed = re.sub(r"\btomorrow\b|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day the \d+\w\w\b", "DAY", printed)
    printed = re.sub(r"in \d+\.\d\ds", "in N s", printed)
    return [" ".join(line.split()) for line in printed.splitlines() if line.strip()]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console's block, and what it is shown to print."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def edit(folder: Path, block: str) -> None:
    """Carry out what the guide says of a block: most of them take the place of a part of a file."""
    flow, test = folder / "visit.py", folder / "test_visit.py"
    text = flow.read_text("utf-8")
    if block.startswith("from agentd.flow import "):
        flow.write_text(re.sub(r"^from agentd\.flow import .*\n", block, text, flags=re.MULTILINE), "utf-8")
    elif block.startswith("# ── "):
        before, _, rest = text.partition(block.partition("\n")[0])
        _, banner, behind = rest.partition("\n# ── ")
        flow.write_text(before + block + (f"\n{banner}{behind}" if banner else ""), "utf-8")
    elif block.startswith("@scripted"):
        test.write_text(test.read_text("utf-8").partition("@scripted")[0] + block, "utf-8")
    else:
        assert block in text, "what is quoted from visit.py must stand there"


@pytest.mark.slow
def test_each_command_of_the_guide_prints_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ran = list[str]()
    for language, block in blocks(section("Your first flow")):
        if language == "python":
            edit(tmp_path, block)
            continue
        for command, shown in commands(block):
            typed = "".join(line.removeprefix(YOU) for line in shown.splitlines(keepends=True) if line.startswith(YOU))
            done = subprocess.run(
                command.split(), cwd=tmp_path, env=clean, input=typed, capture_output=True, text=True, timeout=120, check=False
            )
            assert lasting(done.stdout + done.stderr) == lasting(shown), command
            assert done.returncode == 0
            ran.append(" ".join(command.split()[:3]))
    assert {"agentd flow new", "agentd flow check", "agentd flow chat", "python -m pytest"} == {
        command.removeprefix(".venv/bin/") for command in ran
    }
