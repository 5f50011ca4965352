"""The simulator plays the other side: it may know of the daemon only what a switch knows."""

from __future__ import annotations

import ast
from pathlib import Path

import agentd.simulate


def test_it_imports_nothing_of_the_daemon() -> None:
    (folder,) = agentd.simulate.__path__
    for path in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = ["." * node.level + (node.module or "")]
                names = [f"agentd.{alias.name}" for alias in node.names] if names == ["agentd"] else names
            else:
                continue
            for name in names:
                assert not name.startswith("."), f"{path.name}: a relative import"
                assert name.split(".")[0] not in ("agentd", "flows", "telemetry") or name.startswith("agentd.simulate"), (
                    path.name
                )
