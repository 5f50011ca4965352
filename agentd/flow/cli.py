"""`agentd flow graph NAME` and `agentd flow check NAME`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from agentd.errors import FlowError
from agentd.flow.check import report
from agentd.flow.graph import mermaid
from agentd.flow.loading import load
from agentd.flow.model import Flow


def graph_main(argv: Sequence[str]) -> int:
    """Print the flow's Mermaid diagram. Exit code 0; 1 for a flow that cannot work; 2 for a wrong command line."""
    return _shown("graph", argv, mermaid)


def check_main(argv: Sequence[str]) -> int:
    """Print what the flow holds, with warnings. Exit codes as above."""
    return _shown("check", argv, report)


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
