"""`agentd demo`: a daemon on loopback and three spoken calls, with the conversation as it happens.

The daemon is a process of its own; the calls come from the simulated switch in this one. They share HTTP and a socket, and
the folder in which the daemon writes down what it heard and said.
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
RECORD_S: Final = 10.0
"""The daemon closes a call's record within some seconds of its end."""

OPENED: Final = "stream opened"
"""The switch's note of the moment from which the daemon counts the call's time."""

NOTED: Final = ("caller (cough)", "caller (uh huh)", "caller stays silent", "caller hangs up", "switch ")
"""What the switch tells and the daemon's transcript does not."""


def main(argv: Sequence[str]) -> int:
    """Run the demo. Exit code 0: all three calls came through; 1: one did not."""
    parser = argparse.ArgumentParser(
        prog="agentd demo", description="Start agentd on loopback and place three spoken calls: no key, no network."
    )
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("demo-out"), help="the calls' folder (%(default)s)")
    out: Path = parser.parse_args(list(argv)).out
    began = time.monotonic()
    _say("Starting agentd on loopback, with the embedded engines: no key, no network.")
    with _Daemon(out, secrets.token_urlsafe(24)) as daemon:
        folders = [_place(name, title, daemon) for name, title in CALLS]
    _say(f"\nThree calls in {time.monotonic() - began:.0f} s. What remains of them is in {out}/:")
    for folder in filter(None, folders):
        call = json.loads((folder / "call.json").read_text())
        _say(f"  {folder}/  {call['outcome']}, {call['turns']} turns, {call['seconds']:.0f} s")
    _say("In each: call.json, transcript.jsonl, recording.wav (caller left, agent right), spans.jsonl; handoff.json where it")
    _say(f"was handed over. Draw the last one:  .venv/bin/agentd trace last --out {out}")
    return 0 if all(folders) else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class _Daemon:
    """A daemon in a process of its own; its log goes to a file, since the screen belongs to the conversation."""

    def __init__(self, out: Path, secret: str) -> None:
        self.out, self.secret, self.url = out, secret, ""

    def __enter__(self) -> _Daemon:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._log = (self.out / "daemon.log").open("w")
        except OSError as error:
            raise OperatorError(
                f"nothing can be written there ({error.strerror}).", where=str(self.out), mend="name another --out."
            ) from error
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENTD_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentd", "serve", "--config", os.devnull, "--out", str(self.out), "--port", "0"],
            env={**clean, "AGENTD_SAUTIKIT_SECRET": self.secret, "AGENTD_CALLS_RECORDING": "on"},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        found = re.search(r"http://[\d.:]+", self._first_line())
        if found is None:
            self.__exit__()
            last = (self.out / "daemon.log").read_text().strip().rpartition("\n")[2]
            raise OperatorError(
                f"the daemon did not start ({last or 'it said nothing'}).",
                where=str(self.out / "daemon.log"),
                mend="read what stands in that file.",
            )
        self.url = found[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    def _first_line(self) -> str:
        """The daemon's first line, which says that it is ready; empty where it ends, or takes longer than `START_S`."""
        assert self._process.stdout is not None
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        try:
            return self._process.stdout.readline()
        finally:
            timer.cancel()


def _place(name: str, title: str, daemon: _Daemon) -> Path | None:
    """One call, with its conversation as it happens; its folder, or None where it did not come through."""
    from agentd.simulate.cli import place_call
    from agentd.simulate.scenario import load

    _say(f"\n── {title} " + "─" * (90 - len(title)))
    screen = _Screen(daemon.out)
    why = ""

    async def call() -> None:
        nonlocal why
        report = await place_call(load(name), base_url=daemon.url, secret=daemon.secret, out=None, show=screen.note)
        why = "" if report.outcome == "completed" else report.why
        with trio.move_on_after(RECORD_S):
            await screen.closed()

    trio.run(run_all, call, partial(_follow, screen))
    screen.end()
    if why:
        _say(f"   The call broke: {why}")
    return None if why or not screen.is_closed else screen.folder


async def _follow(screen: _Screen) -> None:
    """Show the transcript as it grows. Cancelled: what is shown stands."""
    while True:
        screen.show()
        await trio.sleep(0.1)


class _Screen:
    """One call's conversation, in the order of its time: a note of the switch waits until the transcript has come so far."""

    def __init__(self, out: Path) -> None:
        self._out, self._before = out, {path.name for path in out.iterdir()}
        self._shown = 0
        self._opened = 0.0
        self._notes: list[tuple[float, str]] = []

    @property
    def folder(self) -> Path | None:
        """The call's folder, once the daemon has made it."""
        return next((path for path in sorted(self._out.iterdir()) if path.is_dir() and path.name not in self._before), None)

    @property
    def is_closed(self) -> bool:
        """Whether the daemon has closed the call's record."""
        return self.folder is not None and (self.folder / "call.json").exists()

    async def closed(self) -> None:
        """Wait for that. Cancelled: nothing is left behind."""
        while not self.is_closed:  # noqa: ASYNC110 — a file of another process has no event
            await trio.sleep(0.05)

    def note(self, text: str) -> None:
        """Take what the switch and the caller do: seconds, two spaces, words."""
        at, _, what = text.strip().partition("  ")
        if what.startswith(OPENED):
            self._opened = float(at)
        elif what.startswith(NOTED):
            self._notes.append((float(at) - self._opened, what))

    def show(self) -> None:
        """Print the transcript's new lines, each behind the notes of earlier times."""
        for line in self._whole_lines()[self._shown :]:
            entry = json.loads(line)
            self._tell_notes(entry["at"])
            _say(_line(entry))
            self._shown += 1

    def end(self) -> None:
        """Print what is left."""
        self.show()
        self._tell_notes(float("inf"))

    def _whole_lines(self) -> list[str]:
        try:
            text = (self.folder / "transcript.jsonl").read_text() if self.folder else ""
        except FileNotFoundError:
            return []
        return text[: text.rfind("\n") + 1].splitlines()

    def _tell_notes(self, until: float) -> None:
        while self._notes and self._notes[0][0] < until:
            at, what = self._notes.pop(0)
            _say(f"   {at:6.1f}s   ·     {what}")


def _line(entry: dict[str, Any]) -> str:
    text = entry["text"] + (" —" if entry["cut"] else "")
    gap = f"   [gap {entry['gap'] * 1000:.0f} ms]" if "gap" in entry else ""
    return f"   {entry['at']:6.1f}s {entry['who']:<6}  {text}{gap}"
