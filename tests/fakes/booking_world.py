"""A booking office as a pure value: what it was asked, what stands in its book, and how its network misbehaves when told to.

It books appointments at once (`/appointments`) or by a hold (`/holds`), sends texts and takes deposits, each under the
`Idempotency-Key` of the request that began it, which is the effect's name from then on:

    POST /appointments                 DELETE /appointments/{effect}      also undoes a hold that was confirmed
    POST /holds                        POST /holds/{effect}/confirm       DELETE /holds/{effect}
    POST /texts      POST /deposits    GET /effects/{effect}              {"status": "there" | "confirmed" | "absent"}
    GET /free?wanted=2026-11-24        the free times of that day; of a day with its time that one, if it is free

No two appointments or holds have the same `when`. `booking` serves it over real sockets, `Office` below in virtual time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import trio

from agentd.errors import ToolError
from agentd.flow import Context
from agentd.flow.wire import meaning

Answer = tuple[int, Any]
BOOKED = ("appointments", "holds")
HOURS = ("09:00", "10:00", "14:30")
"""When there are appointments, every day."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next `times` requests that match ("POST /holds", a regular expression from the start).

    The request arrives after `before` seconds and, where `carry_out`, is carried out then, whoever still waits for it; the
    answer comes `after` more seconds: as it is, `twice`, `never`, as a `reset` connection, or as a `status` in its place.
    """

    match: str = ""
    carry_out: bool = True
    before: float = 0.0
    after: float = 0.0
    answer: Literal["normal", "twice", "never", "reset", "status"] = "normal"
    status: int = 500
    times: int = 1


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    at: float
    method: str
    path: str
    key: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Entry:
    """What was done under a key. `count` is how often it stands in the world; `expires` ends a hold."""

    what: str
    body: dict[str, Any]
    count: int = 0
    confirmed: bool = False
    expires: float = 0.0


@dataclass
class BookingWorld:
    """The office. `now` tells its time in epoch seconds; the other fields are its manners, and may be changed at any time."""

    now: Callable[[], float]
    honours_keys: bool = True
    stores_refusals: bool = True
    tombstones: bool = True
    ttl: float = 300.0
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    buried: set[str] = field(default_factory=set)
    hits: int = 0
    """Requests that a tombstone refused."""
    answers: dict[str, Answer] = field(default_factory=dict)

    # ── What tests look at ───────────────────────────────────────────────────────────────────────────────────────────

    def net(self, effect: str) -> int:
        """How often an effect stands in the world: 0 or 1, where nothing went wrong."""
        entry = self.entries.get(effect)
        return entry.count if entry and self._stands(entry) else 0

    def world(self) -> dict[str, dict[str, Any]]:
        """Every effect that was ever begun: what it is, its state (there | confirmed | absent), how often it stands."""
        return {
            effect: {"what": entry.what, "state": self._state(effect), "net": self.net(effect), "body": entry.body}
            for effect, entry in self.entries.items()
        }

    def _stands(self, entry: Entry) -> bool:
        return entry.count > 0 and (entry.what != "holds" or entry.confirmed or self.now() < entry.expires)

    def _state(self, effect: str) -> str:
        entry = self.entries.get(effect)
        if entry is None or not self._stands(entry):
            return "absent"
        return "confirmed" if entry.confirmed else "there"

    # ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def fault(self, method: str, path: str) -> Fault:
        """What is to go wrong with a request; each call uses one of a fault's times up."""
        for place, fault in enumerate(self.faults):
            if re.match(fault.match, f"{method} {path}"):
                self.faults[place : place + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                return fault
        return Fault()

    def arrive(
        self, method: str, path: str, key: str = "", body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Carry a request out, and note that it was asked."""
        self.asked.append(Asked(self.now(), method, path, key, body or {}, headers or {}))
        if method == "GET":
            return self._get(path)
        if not key:
            return 400, {"error": "no Idempotency-Key"}
        if self.honours_keys and key in self.answers:
            return self.answers[key]
        answer = self._change(method, path.strip("/").split("/"), key, body or {})
        if answer[0] < 400 or self.stores_refusals:
            self.answers[key] = answer
        return answer

    def _get(self, path: str) -> Answer:
        if path.startswith("/free?"):
            (wanted,) = parse_qs(urlsplit(path).query)["wanted"]
            taken = {entry.body.get("when") for entry in self.entries.values() if entry.what in BOOKED and self._stands(entry)}
            free = [when for hour in HOURS if (when := f"{wanted[:10]}T{hour}") not in taken]
            return 200, [wanted] if wanted in free else free
        what, _, effect = path.strip("/").partition("/")
        if what != "effects" or effect not in self.entries:
            return 404, {"error": "not found"}
        return 200, {"status": self._state(effect)}

    def _change(self, method: str, parts: list[str], key: str, body: dict[str, Any]) -> Answer:
        match method, parts:
            case "POST", [("appointments" | "holds" | "texts" | "deposits") as what]:
                return self._begin(what, key, body)
            case "POST", ["holds", effect, "confirm"]:
                return self._confirm(effect)
            case "DELETE", [("appointments" | "holds") as what, effect]:
                return self._end(what, effect)
        return 404, {"error": "not found"}

    def _begin(self, what: str, key: str, body: dict[str, Any]) -> Answer:
        if key in self.buried:
            self.hits += 1
            return 410, {"error": "it was undone before it came"}
        others = [entry for entry in self.entries.values() if entry.what in BOOKED and self._stands(entry)]
        if what in BOOKED and any(entry.body.get("when") == body.get("when") for entry in others if "when" in body):
            return 422, {"error": "it is taken"}
        entry = self.entries.setdefault(key, Entry(what, body))
        entry.count += 1
        answer: dict[str, Any] = {"reference": f"{what[0].upper()}{len(self.entries)}"}
        if what == "holds":
            entry.expires = self.now() + self.ttl
            answer["expires_at"] = entry.expires
        return 201, answer

    def _confirm(self, effect: str) -> Answer:
        entry = self.entries.get(effect)
        if entry is None or entry.what != "holds" or not self._stands(entry):
            return 410, {"error": "the hold has ended"}
        entry.confirmed = True
        return 200, {"reference": f"C{list(self.entries).index(effect) + 1}"}

    def _end(self, what: str, effect: str) -> Answer:
        if self.tombstones:
            self.buried.add(effect)
        entry = self.entries.get(effect)
        if entry is None or not self._stands(entry):
            return 404, {"error": "not found"}
        if what == "holds" and entry.confirmed:
            return 422, {"error": "it is confirmed"}
        entry.count, entry.confirmed = 0, False
        return 204, None


class Office:
    """The office as a tool's functions reach it in virtual time; its requests live on in `nursery` when nobody waits."""

    def __init__(self, world: BookingWorld, nursery: trio.Nursery) -> None:
        self.world, self._nursery = world, nursery

    async def ask(self, request: str, context: Context, body: dict[str, Any] | None = None) -> Any:
        """Send "POST /holds" or the like, and return or raise what an endpoint would. Cancelled: it is carried out or not."""
        method, _, path = request.partition(" ")
        fault, answered = self.world.fault(method, path), trio.Event()
        given: list[Answer] = []

        async def carry() -> None:
            await trio.sleep(fault.before)
            if fault.carry_out:
                given.append(self.world.arrive(method, path, context.key, body))
            await trio.sleep(fault.after)
            answered.set()

        self._nursery.start_soon(carry)
        if fault.answer == "never":
            await trio.sleep_forever()
        await answered.wait()
        if fault.answer == "reset" or not (given or fault.answer == "status"):
            raise ToolError(f"{request} got no answer")
        status, told = (fault.status, None) if fault.answer == "status" else given[0]
        if status >= 300:
            raise meaning(status, f"{request} answered {status}")
        return told
