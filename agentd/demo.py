"""`agentd demo`: a daemon on loopback and three spoken calls, with the conversation as it happens.

The daemon is a process of its own; the calls come from the simulated switch in this one. They share HTTP and a socket.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from agentd.actors.kit import run_all
from agentd.errors import OperatorError

CALLS: Final = (
    ("question", "A question and a slot search"),
    ("interrupt", "A cough, an “uh-huh” and a barge-in"),
    ("silence", "Silence, then a handover"),
)
START_S: Final = 60.0
STOP_S: Final = 30.0


def main(argv: Sequence[str]) -> int:
    """Run the demo. Exit code 0: all three calls came through; 1: one did not."""
    parser = argparse.ArgumentParser(prog="agentd demo")
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    options = parser.parse_args(list(argv))
    out: Path = options.out
    began = time.monotonic()
    secret = secrets.token_urlsafe(24)
    _say("Starting agentd on loopback, with the embedded engines: no key, no network.")
    with _Daemon(out, secret) as daemon:
        results = [_place(name, title, daemon, out) for name, title in CALLS]
    _say("")
    _say(f"Three calls in {time.monotonic() - began:.0f} s. What remains of them is in {out}/:")
    for folder in sorted(path for path in out.iterdir() if (path / "call.json").exists())[-len(CALLS) :]:
        call = json.loads((folder / "call.json").read_text())
        _say(f"  {folder}/  {call['outcome']}, {call['turns']} turns, {call['seconds']:.0f} s")
    _say("In each: call.json, transcript.jsonl, recording.wav (caller left, agent right), spans.jsonl; handoff.json where it")
    _say(f"was handed over. Draw the last one:  .venv/bin/agentd trace last --out {out}")
    return 0 if all(results) else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class _Daemon:
    """A daemon in a process of its own; its log goes to a file, since the screen belongs to the conversation."""

    def __init__(self, out: Path, secret: str) -> None:
        self.out, self.secret, self.url = out, secret, ""

    def __enter__(self) -> _Daemon:
        self.out.mkdir(parents=True, exist_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENTD_")}
        command = [sys.executable, "-m", "agentd", "serve", "--config", os.devnull, "--out", str(self.out), "--port", "0"]
        self._log = (self.out / "daemon.log").open("w")
        self._process = subprocess.Popen(
            command,
            env={**clean, "AGENTD_SAUTIKIT_SECRET": self.secret, "AGENTD_CALLS_RECORDING": "on"},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        found = re.search(r"http://[\d.:]+", line)
        if found is None:
            self.__exit__()
            raise OperatorError(
                "the daemon did not start", where=str(self.out / "daemon.log"), mend="read what stands in that file."
            )
        self.url = found[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


def _place(name: str, title: str, daemon: _Daemon, out: Path) -> bool:
    """One call, with its conversation as it happens."""
    from agentd.simulate.cli import place_call
    from agentd.simulate.scenario import load

    _say(f"\n── {title} " + "─" * (90 - len(title)))
    before = {path.name for path in out.iterdir()}
    report = None

    async def call() -> None:
        nonlocal report
        report = await place_call(load(name), base_url=daemon.url, secret=daemon.secret, out=None, show=_note)
        await trio.sleep(0.5)

    trio.run(run_all, call, partial(_follow, out, before))
    assert report is not None
    if report.outcome != "completed":
        _say(f"   The call broke: {report.why}")
    return report.outcome == "completed"


def _note(text: str) -> None:
    """What the switch and the caller do; the words come from the transcript."""
    if any(word in text for word in ("cough", "uh", "dial", "silent", "hang")):
        _say(f"   {'':7}· {text}")


async def _follow(out: Path, before: set[str]) -> None:
    """Print the newest call's transcript as it grows. Cancelled: what is printed stands."""
    shown = 0
    while True:
        lines = _transcript(out, before)
        for line in lines[shown:]:
            _say(_line(json.loads(line)))
        shown = len(lines)
        await trio.sleep(0.1)


def _transcript(out: Path, before: set[str]) -> list[str]:
    """The lines so far of the call that came after those `before`."""
    fresh = sorted(path for path in out.iterdir() if path.is_dir() and path.name not in before)
    file = fresh[0] / "transcript.jsonl" if fresh else None
    return file.read_text().splitlines() if file is not None and file.exists() else []


def _line(entry: dict[str, Any]) -> str:
    who = {"caller": "caller", "agent": "agent ", "tool": "tool  "}[entry["who"]]
    text = entry["text"] + (" —" if entry.get("cut") else "")
    gap = f"   [gap {entry['gap'] * 1000:.0f} ms]" if entry.get("gap") is not None else ""
    return f"   {entry['at']:6.1f}s {who}  {text}{gap}"
