"""The outbox: what leaves after a call, as rows of the ledger like all others; their requests are signed JSON by HTTP.

A *webhook* tells that a call is over, what came of it and what was done. A *notice* is owed to a caller who may believe what is
not so, or may not know what is: whoever receives it passes it on, as a text, an e-mail or a call back.

Each is posted until it is taken, under one `Idempotency-Key`: who has seen the key answers as before and does nothing more.
`Agentd-Signature: t=<unix>,v1=<hex>` has v1 = HMAC-SHA256(secret, t + "." + body). A success (2xx) has taken it, a 4xx refuses
it for good; but redirects, 401, 403, 404, 405, 407 and 429 come from the door and not from who receives, so that it is posted
again, as it is after 408, 409, 425, 5xx or no answer. What nobody takes is stuck in time, and waits for an operator.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import trio

from agentd import limits
from agentd.errors import LedgerDown, SettingsError
from agentd.flow.model import Flow
from agentd.flow.telling import telling
from agentd.handoff.effects import Fate, settled, whole, written
from agentd.ledger.book import Book, holds
from agentd.ledger.draft import NOTICE
from agentd.ledger.events import Answer, Ask, Done, No, NotSent, Unknown
from agentd.ledger.hands import Hands
from agentd.ledger.row import SPOKEN, Kind, Row, Verdict, Why
from agentd.ledger.storage.codec import CallFacts, Case
from agentd.messages import Effect, Mode
from agentd.settings import After

log = logging.getLogger(__name__)

SIGNATURE: Final = "Agentd-Signature"

WORDS: Final = {
    Fate.DONE: "This was done: {what}.",
    Fate.UNDONE: "This was not done: {what}.",
    Fate.UNKNOWN: "We do not know yet whether this was done: {what}. Somebody will look, and tell you.",
}
"""What a caller is told where the tool has no words for it, or is gone."""

_DOOR: Final = frozenset({401, 403, 404, 405, 407, 429})
"""Whoever receives it has not looked at it."""

_AGAIN: Final = frozenset({408, 409, 425})
"""It may have been taken, or be on its way."""


def sign(secret: str, body: bytes, at: int) -> str:
    """The signature's header for a body that is sent at Unix time `at`."""
    return f"t={at},v1={hmac.digest(secret.encode(), f'{at}.'.encode() + body, 'sha256').hex()}"


def webhook(call: str, record: Mapping[str, Any], seq: int, at: float) -> Row:
    """The row that tells that a call is over, behind its `seq` others: `record` is what is told beside the effects."""
    return Row(
        f"{call}.webhook", call, seq, "webhook", Kind.WEBHOOK, NOTICE, json.dumps(record),
        verdict=Verdict.KEEP, why=Why.BORN, opened=at,
    )  # fmt: skip


class Outbox:
    """One process's outbox. `find` looks a call and its rows up in the ledger, `wall` is the time of day.

    Raises SettingsError where something would leave unsigned.
    """

    def __init__(self, at: After, find: Callable[[str], Awaitable[Case | None]], wall: Callable[[], datetime]) -> None:
        self._secret, self._find, self._wall = at.secret.get_secret_value(), find, wall
        self._urls = {Kind.WEBHOOK: at.call_url, Kind.NOTICE: at.notice_url}
        urls = [url for url in self._urls.values() if url]
        if urls and not self._secret.strip():
            raise SettingsError(
                "what is posted after a call would not be signed, so that anybody could post it",
                where="after.secret",
                mend="choose a secret and give it to the receiver too: `openssl rand -hex 32` makes one.",
            )
        self._tls = httpx.create_ssl_context(trust_env=False) if any(url.startswith("https:") for url in urls) else False

    @property
    def tells_calls(self) -> bool:
        """Whether anybody wants to hear that a call is over."""
        return bool(self._urls[Kind.WEBHOOK])

    def hands(self, facts: CallFacts, flow: Flow | None, effects: Hands) -> Hands:
        """All hands of one call: `effects` are those of its tools, the outbox's are added. `flow` is None where it is gone."""
        return _Hands(self, facts, flow, effects)

    async def send(self, row: Row, facts: CallFacts, flow: Flow | None) -> Answer:
        """Post a notice or a webhook, as the ledger has its call now. Cancelled: it may have been taken."""
        url = self._urls[row.kind]
        if not url:
            return NotSent("nobody takes callers' notices: give after.notice_url, or tell the caller and resolve it")
        try:
            case = await self._find(row.call)
        except LedgerDown as down:
            return NotSent(f"what it tells cannot be read ({down})")
        try:
            body = json.dumps(self._told(row, case.rows if case else (), facts, flow)).encode()
        except Exception as error:  # an author's own words: their bug must not end who settles all calls
            return NotSent(f"what it tells cannot be put in words: {type(error).__name__}")
        with trio.move_on_after(row.traits.timeout):
            answer = await self._post(url, row.id, body)
            if isinstance(answer, No):
                log.error("the %s %s was refused for good: %s", row.kind, row.id, answer.why)
            return answer
        return Unknown(f"no answer within {row.traits.timeout:g} s")

    # ── What is told ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _told(self, row: Row, rows: tuple[Row, ...], facts: CallFacts, flow: Flow | None) -> dict[str, Any]:
        book, wall = Book(row.call, rows, over=True), self._wall()
        now = flow.local(wall.isoformat()) if flow else wall
        if row.kind is Kind.NOTICE:
            return {"type": "notice", "key": row.id, **_notice(row, book, facts, flow, now)}
        call = {**json.loads(row.args), "effects": written(flow, book, now), "settled": settled(book)}
        return {"type": "call", "key": row.id, "call": call}

    # ── How ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _post(self, url: str, key: str, body: bytes) -> Answer:
        """Of the answer only its status is read. Cancelled: as `send`."""
        headers = {
            "user-agent": "agentd",
            "content-type": "application/json",
            "connection": "close",
            "idempotency-key": key,
            SIGNATURE: sign(self._secret, body, int(self._wall().timestamp())),
        }
        patience = httpx.Timeout(None, connect=limits.TOOL_CONNECT_S)
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=patience) as client,
                client.stream("POST", url, headers=headers, content=body) as response,
            ):
                return meaning(response.status_code)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return NotSent(f"nobody is there: {type(error).__name__}")
        except httpx.HTTPError as error:
            return Unknown(f"no answer: {type(error).__name__}")


class _Hands:
    """One call's hands: effects by its flow's tools, all else by the outbox."""

    def __init__(self, outbox: Outbox, facts: CallFacts, flow: Flow | None, effects: Hands) -> None:
        self._outbox, self._facts, self._flow, self._effects = outbox, facts, flow, effects

    async def send(self, row: Row, ask: Ask) -> Answer:
        """See Hands. Cancelled: whether the request was carried out is not known."""
        if row.kind in SPOKEN:
            return await self._effects.send(row, ask)
        return await self._outbox.send(row, self._facts, self._flow)


def meaning(status: int) -> Answer:
    """What a receiver's status says of what was posted."""
    why = f"it answered {status}"
    if 200 <= status < 300:
        return Done()
    if 300 <= status < 400 or status in _DOOR:
        return NotSent(why)
    return No(why) if 400 <= status < 500 and status not in _AGAIN else Unknown(why)


def _notice(row: Row, book: Book, facts: CallFacts, flow: Flow | None, now: datetime) -> dict[str, Any]:
    """Whom a notice is for, what it is about, and what the caller is to know."""
    about = next(one for one in book.rows if one.id == row.of)
    fate = _fate(book, about)
    args, result = json.loads(about.args), json.loads(about.result) if about.result else None
    effect = Effect(about.id, about.tool, about.kind.value, args, result, fate.value, "")
    label = whole(flow, effect, now)
    return {
        "to": facts.caller,
        "from": facts.called,
        "text": _text(flow, effect, fate, now),
        "state": fate.value,
        "effect": {
            "id": about.id,
            "tool": about.tool,
            "kind": about.kind.value,
            "label": label,
            "args": args,
            "result": result,
        },
        "call": {"id": facts.id, "flow": facts.flow, "started": _iso(facts.started)},
    }


def _text(flow: Flow | None, effect: Effect, fate: Fate, now: datetime) -> str:
    modes = {Fate.DONE: Mode.TELL, Fate.UNDONE: Mode.UNTELL}
    if flow is not None and fate in modes and effect.tool in flow.tools:
        return telling(flow, effect, modes[fate], now).text
    return WORDS[fate].format(what=whole(flow, effect, now))


def _fate(book: Book, row: Row) -> Fate:
    """What became of an effect whose notice is due: it is settled, or nobody knows."""
    if row.stuck or not row.settled:
        return Fate.UNKNOWN
    return Fate.DONE if holds(book, row) else Fate.UNDONE


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
