"""The command line: one function a command, each importing its room only when it is used."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from agentd.errors import OperatorError
from agentd.settings import Settings, load, show

USAGE: Final = """usage: agentd COMMAND …

  serve               answer calls           [--config FILE] [--flow NAME] [--out DIR] [--port N]
  demo                three spoken calls on this machine, with no key and no network   [--out DIR]
  call SCENARIO       be the switch and the caller of a running daemon   (call --help)
  calls               list | delete ID | purge                           [--out DIR]
  trace CALL          draw a call as a waterfall; CALL is an id, its beginning, or "last"   [--out DIR]
  flow graph NAME     a flow's diagram (Mermaid)
  flow check NAME     what a flow holds, and what is wrong with it
  turn graph          the turn machine's diagram (Mermaid)
  config show         the settings in force and where each comes from   [--config FILE]

Settings come from ./agentd.toml (or --config FILE), then AGENTD_SECTION_KEY in the environment, then the command line.
A flow's NAME is a module (receptionist) or the path of your own .py file.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit code 0: done; 1: it could not be done, for the reason printed; 2: a wrong command line."""
    given = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for chatty in ("trio-websocket", "transitions", "httpx"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        return _run(given)
    except OperatorError as error:
        sys.stderr.write(f"agentd: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(argv: list[str]) -> int:
    match argv:
        case ["serve", *rest]:
            return _serve(rest)
        case ["demo", *rest]:
            from agentd.demo import main as demo

            return demo(rest)
        case ["call", *rest]:
            from agentd.simulate.cli import main as call

            return call(rest)
        case ["calls", *rest]:
            from agentd.folder import calls_main

            settings, rest = _settings(rest)
            return calls_main(rest, settings.calls.out, days=settings.calls.retention_days)
        case ["trace", *rest]:
            from agentd.trace import main as trace

            settings, rest = _settings(rest)
            return trace(rest, settings.calls.out)
        case ["flow", "graph", *rest]:
            from agentd.flow.cli import graph_main

            return graph_main(rest)
        case ["flow", "check", *rest]:
            from agentd.flow.cli import check_main

            return check_main(rest)
        case ["turn", "graph", *rest]:
            from agentd.turn.graph import main as graph

            return graph(rest)
        case ["config", "show", *rest]:
            settings, _ = _settings(rest)
            sys.stdout.write(show(settings))
            return 0
        case [] | ["-h" | "--help" | "help", *_]:
            sys.stdout.write(USAGE)
            return 0
        case _:
            sys.stderr.write(f"agentd: no such command: {' '.join(argv[:2])}\n\n{USAGE}")
            return 2


def _settings(argv: list[str]) -> tuple[Settings, list[str]]:
    """The settings that a command runs with, and the arguments that are its own."""
    parser = argparse.ArgumentParser(prog="agentd", add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--flow")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options, rest = parser.parse_known_args(argv)
    given: dict[str, Any] = {"calls.out": options.out, "server.host": options.host, "server.port": options.port}
    given = {key: value for key, value in given.items() if value is not None}
    if options.flow:
        given["numbers"] = {"*": options.flow}
    default = Path("agentd.toml")
    path = options.config or (default if default.exists() else None)
    return load(path, os.environ, given), rest


def _serve(argv: list[str]) -> int:
    import trio

    from agentd.daemon import Daemon

    settings, rest = _settings(argv)
    if rest:
        sys.stderr.write(f"agentd serve: unknown argument {rest[0]}\n\n{USAGE}")
        return 2
    daemon = Daemon(settings)

    def ready(url: str) -> None:
        sys.stdout.write(f"agentd answers calls at {url}  (voice webhook: {url}/sautikit/voice)\n")
        sys.stdout.flush()

    trio.run(daemon.run, ready)
    return 0
