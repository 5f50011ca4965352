"""The demo's screen: one conversation from two witnesses, in the order of its time."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

import trio

OPENED: Final = "stream opened"
"""The switch's note of the moment from which the daemon counts the call's time."""

NOTED: Final = ("caller (cough)", "caller stays silent", "caller hangs up", "switch ")
"""What the switch tells and the daemon's transcript does not."""

WHY: Final = {
    "yes": "the caller said yes",
    "told": "the caller has heard it",
    "assent": "the caller agreed",
    "refused_by_caller": "the caller said no",
    "revised": "something else took its place",
    "ended": "the call ended without a yes",
}
"""What gives a verdict, in the words of somebody who sees a ledger for the first time."""


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Screen:
    """One call. A note of the switch waits until the transcript has come so far."""

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
            say(_line(entry))
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
            say(f"   {at:6.1f}s   ·     {what}")


def _line(entry: dict[str, Any]) -> str:
    text = _verdict(entry["text"]) if entry["who"] == "ledger" else entry["text"] + (" ✂" if entry["cut"] else "")
    gap = f"   [gap {entry['gap'] * 1000:.0f} ms]" if "gap" in entry else ""
    return f"   {entry['at']:6.1f}s {entry['who']:<6}  {text}{gap}"


def _verdict(text: str) -> str:
    """The ledger's line, which gives the verdict and its cause in a word each, in more of them."""
    said = re.sub(r"^taking back (.*): kept \(yes\)$", r"\1: taken back: the caller wanted it otherwise", text)
    said = re.sub(r"(kept|let go) \((\w+)\)$", lambda found: f"{found[1]}: {WHY.get(found[2], found[2])}", said)
    return f"▪ {said.replace('there, open', 'held, and not kept yet')}"
