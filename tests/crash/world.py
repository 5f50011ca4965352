"""The remote of a call that is killed: what it holds outlives every process, in a file of lines."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

Entry = tuple[str, str, str]
"""What was asked, under which key, of which value."""


class World:
    """Holds effects by key; an undo leaves a tombstone. `honours` keys: what was done under a key is not done again."""

    def __init__(self, file: Path, *, honours: bool = True) -> None:
        self._file, self._honours = file, honours

    def entries(self) -> list[Entry]:
        """All that was asked, in its order."""
        if not self._file.exists():
            return []
        return [tuple(json.loads(line)) for line in self._file.read_text().splitlines()]

    def ask(self, what: str, key: str, value: str) -> None:
        """Carry out one request; it is done when this returns."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, (json.dumps([what, key, value]) + "\n").encode())
        os.close(descriptor)

    def net(self) -> Counter[tuple[str, str]]:
        """How often the world holds each (key, value)."""
        held: Counter[tuple[str, str]] = Counter()
        tombs: set[str] = set()
        for what, key, value in self.entries():
            if what in {"undo", "cancel"}:
                held.pop((key, value), None)
                tombs.add(key)
            elif what != "confirm" and key not in tombs:
                held[key, value] = 1 if self._honours else held[key, value] + 1
        return +held

    def confirmed(self, key: str) -> bool:
        """Whether a hold was confirmed."""
        return any(what == "confirm" and of == key for what, of, _ in self.entries())
