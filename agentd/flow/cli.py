"""`agentd flow new NAME`, `agentd flow graph NAME` and `agentd flow check NAME`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agentd.errors import FlowError
from agentd.flow.check import report
from agentd.flow.graph import mermaid
from agentd.flow.loading import load
from agentd.flow.model import Flow
from agentd.flow.new import scaffold


def graph_main(argv: Sequence[str]) -> int:
    """Print the flow's Mermaid diagram. Exit code 0; 1 for a flow that cannot work; 2 for a wrong command line."""
    return _shown("graph", argv, mermaid)


def check_main(argv: Sequence[str]) -> int:
    """Print what the flow holds, with warnings. Exit codes as above."""
    return _shown("check", argv, report)


def new_main(name: str, folder: Path) -> int:
    """Write a new flow and its test to `folder`, and say how to go on. Exit codes as above."""
    try:
        flow, test = scaffold(name, folder)
    except FlowError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    agentd, python = _typed()
    sys.stdout.write(
        f"{flow} is a flow that books a visit, {test} calls it up.\n\n"
        f"  {agentd} flow check {flow}\n"
        f"  {agentd} flow chat {flow}\n"
        f"  {python} -m pytest {test}\n"
    )
    return 0


def _typed() -> tuple[str, str]:
    """How agentd was called, and its Python, so that what is printed can be typed here."""
    called = Path(sys.argv[0])
    if called.name != "agentd":
        return "python -m agentd", "python"
    folder = called.parent.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called.parent
    return str(folder / "agentd"), str(folder / "python")


def _shown(command: str, argv: Sequence[str], show: Callable[[Flow], str]) -> int:
    if len(argv) != 1 or argv[0].startswith("-"):
        sys.stderr.write(f"usage: agentd flow {command} NAME    (a module's name, or the path of a .py file)\n")
        return 2
    try:
        sys.stdout.write(show(load(argv[0])))
    except FlowError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
