"""What remains of a call: one folder each, named by a generated id, and the commands that list, delete and purge them.

    20261120-141502-123-7f3a9c01/
        call.json           who, flow, slots, outcome, times, and the effects as they stood when the call was over
        transcript.jsonl    what was said and heard, a line each
        spans.jsonl         the call's trace, a span a line
        recording.wav       both voices
        handoff.json        what the human was told, where the call was handed over

`list_calls` reads `started` (ISO 8601), `from`, `flow`, `outcome`, `seconds` and `turns` of call.json; all may be absent.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any

from agentd.errors import OperatorError

TRANSCRIPT = "transcript.jsonl"

_ID = re.compile(r"(\d{8}-\d{6})-(\d{3})-[0-9a-f]{8}", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def new_call_id(now: datetime | None = None) -> str:
    """A new call's id: sorts by its start (UTC), and cannot be guessed from it."""
    start = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{start:%Y%m%d-%H%M%S}-{start.microsecond // 1000:03d}-{secrets.token_hex(4)}"


class CallFolder:
    """One call's folder, made at once. An I/O error never stops the call: the first one is kept in `failed`."""

    def __init__(self, root: Path, call_id: str) -> None:
        if _started(call_id) is None:
            raise ValueError(f"{call_id!r} is no call id")
        self.id, self.path = call_id, root / call_id
        self.failed: str | None = None
        self._logs: dict[str, FileIO | None] = {}
        try:
            root.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            self._fail(error)

    @property
    def recording(self) -> Path:
        """Where the call's recording belongs."""
        return self.path / "recording.wav"

    def write_call(self, record: Mapping[str, Any]) -> None:
        """Write call.json, whole or not at all; a later one replaces it."""
        self._write("call.json", record)

    def write_handoff(self, record: Mapping[str, Any]) -> None:
        """Write handoff.json, whole or not at all."""
        self._write("handoff.json", record)

    def add_transcript(self, line: Mapping[str, Any]) -> None:
        """Append one line to transcript.jsonl; it is in the file when this returns."""
        self._append(TRANSCRIPT, line)

    def add_span(self, line: Mapping[str, Any]) -> None:
        """Append one line to spans.jsonl; it is in the file when this returns."""
        self._append("spans.jsonl", line)

    def close(self) -> None:
        """Close the files. A second time does nothing."""
        for name, file in self._logs.items():
            self._logs[name] = None
            if file:
                try:
                    file.close()
                except OSError as error:
                    self._fail(error)

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        unfinished = self.path / f"{name}.tmp"
        try:
            unfinished.write_bytes(_json(record, indent=2) + b"\n")
            unfinished.replace(self.path / name)
        except OSError as error:
            self._fail(error)
            with suppress(OSError):
                unfinished.unlink()

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        try:
            if name not in self._logs:
                self._logs[name] = FileIO(self.path / name, "a")
            file = self._logs[name]
            if file:
                _write_whole(file, _json(line) + b"\n")
        except OSError as error:
            # The last line may be torn: what came behind it would be glued to it, so the log ends here.
            self._fail(error)
            self._logs[name], file = None, self._logs.get(name)
            if file:
                with suppress(OSError):
                    file.close()

    def _fail(self, error: OSError) -> None:
        self.failed = self.failed or error.strerror or str(error)


def _write_whole(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _json(record: Mapping[str, Any], indent: int | None = None) -> bytes:
    # A lone surrogate, from a carrier's odd bytes, becomes its JSON escape.
    return json.dumps(record, ensure_ascii=False, indent=indent, default=str).encode("utf-8", "backslashreplace")


# ── All folders ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One line of the list. `outcome` is "unfinished" where call.json is missing and "unreadable" where it is damaged."""

    id: str
    started: datetime
    flow: str
    caller: str
    outcome: str
    seconds: float | None
    turns: int | None


def list_calls(root: Path) -> list[CallSummary]:
    """All calls under `root`, oldest first; other files and folders are passed over."""
    return [_summary(root, call_id, started) for call_id, started in _calls(root)]


def find_call(root: Path, text: str) -> str:
    """The id of the call that `text` names: an id, the beginning of just one, or "last". Raises OperatorError."""
    ids = [call_id for call_id, _ in _calls(root)]
    found = ids[-1:] if text == "last" else [call_id for call_id in ids if text and call_id.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise OperatorError(f"{len(found)} calls begin with {text}.", where=str(root), mend="write more of the id.")
    if not ids:
        raise OperatorError("there are no calls here.", where=str(root), mend="name the calls' folder with --out DIR.")
    raise OperatorError(f"no call {_printable(text)!r}.", where=str(root), mend="`agentd calls list` shows all.")


def delete_call(root: Path, call_id: str) -> None:
    """Delete a call's folder and all in it. Raises OperatorError where it is no call's folder or resists."""
    if call_id not in dict(_calls(root)):
        raise OperatorError(f"{_printable(call_id)!r} is no call's folder.", where=str(root), mend="give an id of the list.")
    try:
        shutil.rmtree(root / call_id)
    except OSError as error:
        raise OperatorError(
            f"{call_id} cannot be deleted whole ({error.strerror}).", where=str(root), mend="check the folder's rights."
        ) from error


def purge(root: Path, now: datetime, days: int) -> tuple[list[str], list[str]]:
    """Delete the calls that began more than `days` days before `now`; the ids of the deleted, and of those that resisted."""
    deleted: list[str] = []
    resisted: list[str] = []
    for call_id, started in _calls(root):
        if started < now - timedelta(days=days):
            try:
                delete_call(root, call_id)
                deleted.append(call_id)
            except OperatorError:
                resisted.append(call_id)
    return deleted, resisted


def _calls(root: Path) -> list[tuple[str, datetime]]:
    """Ids and starts, oldest first: real folders with a call's name."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OperatorError(
            f"the calls cannot be read ({error.strerror}).", where=str(root), mend="check the folder's path and rights."
        ) from error
    return [(name, started) for name in sorted(names) if (started := _started(name))]


def _started(call_id: str) -> datetime | None:
    match = _ID.fullmatch(call_id)
    try:
        return datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _summary(root: Path, call_id: str, started: datetime) -> CallSummary:
    outcome = "unfinished"
    record: Any = {}
    try:
        record = json.loads((root / call_id / "call.json").read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError):
        outcome = "unreadable"
    if not isinstance(record, dict):
        record, outcome = {}, "unreadable"
    seconds, turns = record.get("seconds"), record.get("turns")
    return CallSummary(
        id=call_id,
        started=started,
        flow=_printable(record.get("flow", "")),
        caller=_printable(record.get("from", "")),
        outcome=_printable(record.get("outcome", outcome)),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        turns=turns if isinstance(turns, int) else None,
    )


def _printable(value: object) -> str:
    """A short text that cannot steer a terminal, whatever a caller put into it."""
    return _UNPRINTABLE.sub("", str(value)).encode("utf-8", "replace").decode()[:40]


# ── agentd calls ─────────────────────────────────────────────────────────────────────────────────────────────────────


def calls_main(argv: Sequence[str], root: Path, *, days: int = 30) -> int:
    """`agentd calls list | delete ID | purge`; `days` is the retention in settings. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="agentd calls", description=f"The calls under {root}.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show all calls, oldest first")
    delete = commands.add_parser("delete", help="delete one call: recording, transcript and all")
    delete.add_argument("call", metavar="ID", help='an id, the beginning of one, or "last"')
    commands.add_parser("purge", help=f"delete the calls of more than {days} days ago")
    args = parser.parse_args(argv)
    try:
        match args.command:
            case "list":
                print(_table(list_calls(root)) or f"No calls in {root}.")
            case "delete":
                call_id = find_call(root, args.call)
                delete_call(root, call_id)
                print(f"Deleted {call_id}.")
            case "purge":
                deleted, resisted = purge(root, datetime.now(UTC), days)
                print(f"Deleted {len(deleted)} call{'s' * (len(deleted) != 1)} of more than {days} days ago.")
                if resisted:
                    print(f"These cannot be deleted; check their rights: {', '.join(resisted)}", file=sys.stderr)
                    return 1
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _table(calls: Sequence[CallSummary]) -> str:
    if not calls:
        return ""
    rows = [("CALL", "STARTED", "FROM", "FLOW", "OUTCOME", "LENGTH", "TURNS")]
    for call in calls:
        length = "" if call.seconds is None else f"{int(call.seconds) // 60}:{int(call.seconds) % 60:02d}"
        turns = "" if call.turns is None else str(call.turns)
        start = f"{call.started.astimezone():%Y-%m-%d %H:%M:%S}"
        rows.append((call.id, start, call.caller, call.flow, call.outcome, length, turns))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
