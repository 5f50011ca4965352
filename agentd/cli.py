"""The command line: one function a command, each importing its room only when it is used."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agentd.errors import OperatorError
from agentd.settings import Settings, load, show

USAGE: Final = """usage: agentd COMMAND …

  serve               answer calls           [--config FILE] [--flow NAME] [--out DIR] [--host HOST] [--port N]
  demo                three spoken calls on this machine, with no key and no network   [--out DIR]
  call SCENARIO       be the switch and the caller of a running daemon
  calls               list | delete ID | purge                           [--config FILE] [--out DIR]
  effects             list | show ID | retry ID | resolve ID: what calls have done, and what waits for a human
                                                                         [--config FILE] [--out DIR]
  trace CALL          draw a call as a waterfall; CALL is an id, its beginning, or "last"   [--config FILE] [--out DIR]
  flow new NAME       write a flow to begin from, and its test           [--dir DIR]
  flow check NAME     what a flow holds, and what is wrong with it
  flow chat NAME      talk to a flow by typing, and see its state and the ledger
  flow graph NAME     a flow's diagram (Mermaid)
  turn graph          the turn machine's diagram (Mermaid)
  config show         the settings in force and where each comes from    (options as for serve)

agentd COMMAND --help tells more. Settings come from ./agentd.toml (or --config FILE), then AGENTD_SECTION_KEY in the
environment, then the command line. A flow's NAME is a module (receptionist), a file here (visit for ./visit.py), or a path.
"""

_OPTIONS: Final[Mapping[str, tuple[type, str, str]]] = {
    "config": (Path, "FILE", "read the settings there, not in ./agentd.toml"),
    "flow": (str, "NAME", "answer every number with this flow: a module's name, or the path of a .py file"),
    "out": (Path, "DIR", "the calls' folder"),
    "host": (str, "HOST", "listen on this address"),
    "port": (int, "N", "listen on this port; 0 takes a free one"),
}
"""The options that stand for settings: type, what to write, help."""

_SETTINGS: Final = {"out": "calls.out", "host": "server.host", "port": "server.port"}


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
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
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

            settings, rest = _own(rest, "calls")
            return calls_main(rest, settings.calls.out, days=settings.calls.retention_days)
        case ["trace", *rest]:
            from agentd.trace.cli import main as trace

            settings, rest = _own(rest, "trace")
            return trace(rest, settings.calls.out)
        case ["effects", *rest]:
            from agentd.ledger.operators.cli import existing
            from agentd.ledger.operators.cli import main as effects

            settings, rest = _own(rest, "effects")
            return effects(rest, lambda: existing(settings))
        case ["flow", "new" | "check" | "chat" | "graph" as what, *rest]:
            return _flow(what, rest)
        case ["turn", "graph", *rest]:
            from agentd.turn.graph import main as graph

            argparse.ArgumentParser(
                prog="agentd turn graph", description="Print the turn machine's Mermaid diagram."
            ).parse_args(rest)
            return graph([])
        case ["config", "show", *rest]:
            sys.stdout.write(show(_settings("agentd config show", "Show the settings in force.", rest)))
            return 0
        case [] | ["-h" | "--help" | "help", *_] | ["flow" | "turn" | "config", "-h" | "--help", *_]:
            sys.stdout.write(USAGE)
            return 0
        case _:
            sys.stderr.write(f"agentd: no such command: {' '.join(argv[:2])}\n\n{USAGE}")
            return 2


_FLOW: Final[Mapping[str, str]] = {
    "new": "Write a flow to begin from: NAME.py, with a tool that books and can let go, and test_NAME.py, which calls it up.",
    "check": "Print what a flow holds, with warnings; exit code 1 and one sentence where it cannot work.",
    "chat": "Talk to a flow by typing, on a ledger that is thrown away; what its tools do is done. Reads a pipe, too.",
    "graph": "Print a flow's Mermaid diagram.",
}


def _flow(what: str, argv: list[str]) -> int:
    """A command about a flow."""
    from agentd.flow import cli as flow

    parser = argparse.ArgumentParser(prog=f"agentd flow {what}", description=_FLOW[what])
    if what == "new":
        parser.add_argument("name", metavar="NAME", help="its module's name: small letters, digits and _")
        parser.add_argument("--dir", type=Path, metavar="DIR", default=Path(), help="the folder to write to (here)")
        given = parser.parse_args(argv)
        return flow.new_main(given.name, given.dir)
    parser.add_argument("name", metavar="NAME", help="a module's name, that of a .py file here, or a path")
    name: str = parser.parse_args(argv).name
    if what == "chat":
        from agentd.chat import chat_main

        return chat_main(name)
    return (flow.graph_main if what == "graph" else flow.check_main)([name])


def _parser(prog: str, description: str, options: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=description, add_help=False, allow_abbrev=False)
    for option in options:
        kind, write, what = _OPTIONS[option]
        parser.add_argument(f"--{option}", type=kind, metavar=write, help=what)
    return parser


def _settings(prog: str, description: str, argv: list[str]) -> Settings:
    """The settings of a command that takes all of their options, and nothing else."""
    parser = _parser(prog, description, tuple(_OPTIONS))
    parser.add_argument("-h", "--help", action="help", help="show this")
    return _load(parser.parse_args(argv))


def _own(argv: list[str], command: str) -> tuple[Settings, list[str]]:
    """The settings of a command that only wants to know where the calls are, and the arguments that are its own."""
    parser = _parser(f"agentd {command}", "", ("config", "out"))
    options, rest = parser.parse_known_args(argv)
    if {"-h", "--help"} & set(rest):
        sys.stdout.write(f"agentd {command} takes --config FILE and --out DIR anywhere, and:\n\n")
    return _load(options), rest


def _load(options: argparse.Namespace) -> Settings:
    chosen = {name: value for name, value in vars(options).items() if value is not None}
    given: dict[str, Any] = {key: chosen[name] for name, key in _SETTINGS.items() if name in chosen}
    if "flow" in chosen:
        given["numbers"] = {"*": chosen["flow"]}
    default = Path("agentd.toml")
    path: Path | None = chosen.get("config", default if default.exists() else None)
    return load(path, os.environ, given)


def _serve(argv: list[str]) -> int:
    import trio

    from agentd.daemon import Daemon

    daemon = Daemon(_settings("agentd serve", "Answer calls until TERM or INT; told twice, cut them.", argv))

    def ready(url: str) -> None:
        gc.collect()
        gc.freeze()  # what was loaded stays: no collection need look at it while calls are live
        sys.stdout.write(f"agentd answers calls at {url}  (voice webhook: {url}/sautikit/voice)\n")
        sys.stdout.flush()

    return 0 if trio.run(daemon.run, ready) else 1
