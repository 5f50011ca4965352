"""What was measured: one JSON file a measurement, and the table of them all in README.md."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results"
ORDER: Final = ("turns", "barge-in", "overhead", "soak", "density", "virtual", "ledger")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure against its target; `good` is None where there is no target."""

    name: str
    target: str
    measured: str
    good: bool | None


class Report:
    """Collects one measurement's figures and what else is worth keeping; `close` writes them down."""

    def __init__(self, name: str, command: str) -> None:
        self._name, self._command = name, command
        self._began, self._load = datetime.now(UTC), os.getloadavg()
        self.figures: list[Figure] = []
        self.details: dict[str, Any] = {}

    def add(self, name: str, target: str, measured: str, good: bool | None) -> None:
        """One more figure; it is also printed."""
        self.figures.append(Figure(name, target, measured, good))
        say(f"  {name}: {measured}  (target: {target}{'' if good is None else ', good' if good else ', MISSED'})")

    def close(self) -> int:
        """Write the file and the table; answers the exit code: 1 where a target was missed."""
        record = {
            "measurement": self._name,
            "command": self._command,
            "began": self._began.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - self._began).total_seconds(), 1),
            "machine": _machine() | {"load_before": self._load, "load_after": os.getloadavg()},
            "figures": [asdict(figure) for figure in self.figures],
            "details": self.details,
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{self._name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        summarise()
        return 0 if all(figure.good is not False for figure in self.figures) else 1


def say(text: str) -> None:
    """Progress, for whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{1000 * seconds:.1f} ms" if abs(seconds) < 0.1 else f"{1000 * seconds:.0f} ms"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank). Raises ValueError of none."""
    if not values:
        raise ValueError("nothing was measured")
    ranked = sorted(values)
    return ranked[max(0, -(-int(len(ranked) * percent) // 100) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """The usual percentiles, in milliseconds."""
    marks = {f"p{percent}_ms": round(1000 * percentile(values, percent), 2) for percent in (50, 95, 99)}
    return {"n": len(values), **marks, "max_ms": round(1000 * max(values), 2)}


def _machine() -> dict[str, Any]:
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "nice": os.nice(0),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def summarise() -> None:
    """Write the table of all results into README.md, between its two marks."""
    lines = ["| figure | target | measured | | command | load before → after |", "|---|---|---|---|---|---|"]
    for name in ORDER:
        path = RESULTS / f"{name}.json"
        if path.exists():
            lines += _rows(json.loads(path.read_text(encoding="utf-8")))
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _rows(record: dict[str, Any]) -> list[str]:
    machine = record["machine"]
    load = f"{machine['load_before'][0]:.1f} → {machine['load_after'][0]:.1f}"
    mark = {True: "good", False: "**missed**", None: ""}
    return [
        f"| {one['name']} | {one['target']} | {one['measured']} | {mark[one['good']]} | `{record['command']}` | {load} |"
        for one in record["figures"]
    ]
