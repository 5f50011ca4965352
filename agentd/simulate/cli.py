"""`agentd call`: place simulated calls, show them as they happen, and end with a table of figures."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

try:
    from agentd.simulate.call import place_call
except ModuleNotFoundError as missing:
    raise SystemExit(f"agentd call needs {missing.name}. Mend: pip install 'agentd[local]'") from None
from agentd.simulate.errors import SimulationError
from agentd.simulate.report import CallReport, table
from agentd.simulate.scenario import Scenario, load, shipped

__all__ = ["main", "place_call"]

SECRET = "AGENTD_SAUTIKIT_SECRET"  # the name of the variable, not its value


def main(argv: Sequence[str]) -> int:
    """Run `agentd call ARGV…`; answers 0 where every call was completed, else 1 (2 for a wrong command line, by argparse)."""
    options = _parser().parse_args(argv)
    try:
        reports = trio.run(_calls, load(options.scenario), options)
    except SimulationError as error:
        print(error, file=sys.stderr)
        return 1
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    if options.json:
        print(json.dumps([report.as_json() for report in reports], indent=2, ensure_ascii=False))
    elif any(report.streams for report in reports):
        calls = "1 call" if len(reports) == 1 else f"{len(reports)} calls"
        print(f"\n{calls}, as heard at the loudspeaker:\n{table(reports)}")
    return 0 if all(report.outcome == "completed" for report in reports) else 1


def _interrupted() -> int:
    print("interrupted: the call under way was dropped", file=sys.stderr)
    return 1


async def _calls(scenario: Scenario, options: argparse.Namespace) -> list[CallReport]:
    """Place the calls one after another. Cancelled: the call under way is dropped."""
    reports = []
    stream = sys.stderr if options.json else sys.stdout

    def show(text: str) -> None:
        print(text, file=stream, flush=True)

    for number in range(1, options.loop + 1):
        out = options.out / f"{number:03}" if options.out and options.loop > 1 else options.out
        report = await place_call(scenario, base_url=options.url, secret=options.secret, out=out, show=show)
        reports.append(report)
        show(_ending(report, out))
    return reports


def _ending(report: CallReport, out: Path | None) -> str:
    steps = f"{report.steps_done} of {report.steps} steps, {report.seconds:.1f} s"
    lost = f"; the daemon was too slow for {report.lost} frames" if report.lost else ""
    where = f"; recorded in {out}" if out else ""
    return f"{report.scenario}: {report.outcome}: {report.why} ({steps}{lost}{where})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agentd call",
        description="Call the daemon as a real switch would, with a caller who follows a scenario, and measure what is heard.",
    )
    parser.add_argument("scenario", metavar="SCENARIO", help=f"one of {', '.join(shipped())}, or a TOML file")
    parser.add_argument(
        "--url", type=_address, default="http://127.0.0.1:8080", help="where the daemon listens (default: %(default)s)"
    )
    parser.add_argument("--secret", default=os.environ.get(SECRET, ""), help=f"signs the webhooks (default: ${SECRET})")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write caller.wav and report.json there")
    parser.add_argument("--loop", type=_count, default=1, metavar="N", help="so many calls, one after another")
    parser.add_argument("--json", action="store_true", help="print the reports as JSON, and nothing else, on standard output")
    return parser


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write http://127.0.0.1:8080, say")
    return text


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of calls")
    return int(text)
