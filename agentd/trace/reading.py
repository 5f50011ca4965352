"""What lies in a call's folder, read so that a live call can be drawn and a broken one too: what cannot be read is counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentd.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at `at` within a span."""

    name: str
    at: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it was read; times in nanoseconds."""

    id: str
    parent: str | None
    name: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    events: tuple[Event, ...]


def read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines that are objects, and how many are not. A live call's last line may be half written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise OperatorError(
            f"it cannot be read ({error.strerror}).", where=str(path), mend="check the folder's rights."
        ) from error
    found, bad = [], 0
    for line in data.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            found.append(value)
        else:
            bad += 1
    return found, bad


def read_spans(path: Path) -> tuple[list[Span], int]:
    """The spans, and how many lines are none."""
    lines, bad = read(path)
    spans = [span for line in lines if (span := _span(line))]
    return spans, bad + len(lines) - len(spans)


def _span(line: Mapping[str, Any]) -> Span | None:
    match line:
        case {"span_id": str(span_id), "name": str(name), "start": int(start), "end": int(end)} if (
            -(2**63) < start <= end < 2**63
        ):
            parent, attributes, events = line.get("parent_id"), line.get("attributes"), line.get("events")
            found = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
            return Span(
                span_id,
                parent if isinstance(parent, str) else None,
                name,
                start,
                end,
                attributes if isinstance(attributes, dict) else {},
                tuple(_event(event) for event in found if isinstance(event.get("at"), int) and abs(event["at"]) < 2**63),
            )
        case _:
            return None


def _event(event: Mapping[str, Any]) -> Event:
    attributes = event.get("attributes")
    return Event(str(event.get("name")), event["at"], attributes if isinstance(attributes, dict) else {})
