"""The processes that a measurement starts: each tells its address in its first line, and is gone when the measurement is."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped]

START_S: Final = 60.0
STOP_S: Final = 40.0

STUBS: Final = {
    "AGENTD_ENGINES_RECOGNIZER": "ops.bench.stub:recognizer",
    "AGENTD_ENGINES_THINKER": "ops.bench.stub:thinker",
    "AGENTD_ENGINES_VOICE": "ops.bench.stub:voice",
    "AGENTD_ENGINES_VAD": "ops.bench.stub:vad",
}
"""Settings by which a daemon runs on the stub engines and their flow."""

STUB_FLOW: Final = str(Path(__file__).parent / "flow.py")


class Server:
    """A server in a process of its own, from `with` to its end; its log is in `folder`, which goes with it."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str]) -> None:
        self._arguments, self._settings = arguments, settings
        self.secret = secrets.token_urlsafe(24)

    def __enter__(self) -> Server:
        self._place = tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = Path(self._place.name)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENTD_")}
        self._log = (self.folder / "log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            env={**clean, **self._settings, "AGENTD_SAUTIKIT_SECRET": self.secret, "AGENTD_CALLS_OUT": str(self.calls)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        line = self._readline()
        timer.cancel()
        found = re.search(r"http://[\d.]+:\d+", line)
        if found is None:
            log = (self.folder / "log").read_text()
            self.__exit__()
            raise SystemExit(f"{' '.join(self._arguments)} did not start:\n{line}{log}")
        self.url = found[0]
        self.usage = psutil.Process(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._place.cleanup()

    @property
    def calls(self) -> Path:
        """Where the calls' folders are."""
        return self.folder / "calls"

    @property
    def cpu(self) -> float:
        """CPU seconds that the process has used."""
        times = self.usage.cpu_times()
        return float(times.user + times.system)

    @property
    def rss(self) -> int:
        """Resident bytes."""
        return int(self.usage.memory_info().rss)

    def ask(self, question: str) -> Any:
        """Ask a watched daemon (see watched.py)."""
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return json.loads(self._readline())

    def _readline(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def daemon(flow: str = "receptionist", **settings: str) -> Server:
    """A daemon as `agentd serve` starts it, on a free port; `settings` are environment variables without their prefix."""
    arguments = ["-m", "agentd", "serve", "--config", os.devnull, "--port", "0", "--flow", flow]
    return Server(arguments, {f"AGENTD_{key}": value for key, value in settings.items()})


def watched(flow: str, calls: int, **settings: str) -> Server:
    """A daemon that is watched from inside."""
    given = {f"AGENTD_{key}": value for key, value in settings.items()} | {"AGENTD_CALLS_LIMIT": str(calls)}
    return Server(["-m", "ops.bench.watched", flow], given)
