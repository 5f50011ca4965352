from __future__ import annotations

import ast
import re
from pathlib import Path

from telemetry import names

ROOM = Path(names.__file__).parent
README = (ROOM / "README.md").read_text("utf-8")

SECTIONS = {
    "Spans": {"span"},
    "Span events": {"event"},
    "Attributes": {"attribute"},
    "Words": {"words"},
    "Metrics": {"counter", "gauge", "histogram"},
}


def rows(section: str) -> dict[str, str]:
    text = README.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", text, re.MULTILINE))


def test_the_readme_shows_the_table_of_names_and_nothing_else() -> None:
    for section, kinds in SECTIONS.items():
        metric = section == "Metrics"
        table = {n: f"{k} · {m}" if metric else m for n, (k, m) in names.TABLE.items() if k in kinds}
        assert rows(section) == table, section


def test_the_readme_names_every_file() -> None:
    told = set(re.findall(r"`(\w+\.py)`", README))
    assert told == {path.name for path in ROOM.glob("*.py")} - {"__init__.py"}


def test_no_name_is_written_outside_the_table() -> None:
    for path in ROOM.glob("*.py"):
        if path.name != "names.py":
            texts = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]
            assert not [text for text in texts if isinstance(text, str) and text in names.TABLE and "." in text], path.name
