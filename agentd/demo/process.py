"""The demo's daemon, and the calendar at which its receptionist works: processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from agentd.errors import OperatorError

START_S: Final = 60.0
STOP_S: Final = 30.0
CALENDAR_S: Final = 30.0


class Daemon:
    """A daemon in a process of its own; its log goes to a file, since the screen belongs to the conversation."""

    def __init__(self, out: Path, secret: str) -> None:
        self.out, self.secret, self.url = out, secret, ""

    def __enter__(self) -> Daemon:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            for file in self.out.glob("calendar.sqlite*"):
                file.unlink()  # the stories begin with a calendar in which nobody has been yet
            self._log = (self.out / "daemon.log").open("w")
        except OSError as error:
            raise OperatorError(
                f"nothing can be written there ({error.strerror}).", where=str(self.out), mend="name another --out."
            ) from error
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentd", "serve", "--config", os.devnull, "--out", str(self.out), "--port", "0"],
            env={**self._environment(), "AGENTD_SAUTIKIT_SECRET": self.secret, "AGENTD_CALLS_RECORDING": "on"},
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

    def calendar(self) -> list[list[str]]:
        """What the receptionist's calendar holds, as it says itself: state, what, start (ISO 8601) and name of each."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.tools.calendar"],
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
            timeout=CALENDAR_S,
            check=True,
        )
        return [line.split(maxsplit=3) for line in done.stdout.splitlines()]

    def _environment(self) -> dict[str, str]:
        """Nothing of the user's own settings, and a calendar of the demo's own."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("AGENTD_", "ACME_"))}
        return {**clean, "ACME_DATA": str(self.out.resolve())}

    def _first_line(self) -> str:
        """The daemon's first line, which says that it is ready; empty where it ends, or takes longer than `START_S`."""
        assert self._process.stdout is not None
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        try:
            return self._process.stdout.readline()
        finally:
            timer.cancel()
