"""Sautikit's webhooks: is it genuine, what does it say, and the documents that answer it. Pure: bytes in, values out.

The signature is `X-Sautikit-Signature: t=<unix>,v1=<hex>` with v1 = HMAC-SHA256(secret, body + "." + t): the body comes
first, unlike Stripe's and jambonz's, and the URL is not part of it.
"""

from __future__ import annotations

import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from agentd import limits
from agentd.errors import PeerError

SIGNATURE = "x-sautikit-signature"
"""The header's name, lower-case."""

SUBPROTOCOLS = ("audio.drachtio.org", "audio.jambonz.org")
"""What the switch offers; the same must be answered."""

XML = "application/xml"

SIGNATURE_CHARS = 1024
"""The header: a time and a few digests of 64 characters, while a secret is being changed."""

ANSWERS = 16_384
"""Answers kept against replays: 27 webhooks a second for twice the window, some 16 MB."""

VALUE_CHARS = 256
"""A field of a callback: numbers, ids, a SIP URI."""

_TIME = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CALL_ID = re.compile(r"[!-~]{1,128}")
_NOT_PLAIN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


# ── Signature ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Forged(PeerError):
    """The request is not Sautikit's, or it is too old to tell."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{SIGNATURE}: {what}", close_code=1008, outcome="forged")


@dataclass(frozen=True, slots=True)
class Signed:
    """What was verified: the digest of body and time, and the time. Two requests with the same digest are the same."""

    digest: bytes
    at: int


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Signed:
    """Check the signature over `body`. `headers` are lower-case, `now` is the time of day in seconds.

    Several v1 digests are allowed (a secret is being changed). Raises Forged where it is missing, garbled, false, or its time
    is further than `limits.REPLAY_S` from `now`, in either direction.
    """
    header = headers.get(SIGNATURE, "")
    if not header or len(header) > SIGNATURE_CHARS:
        raise Forged("missing" if not header else "too long")
    times, digests = [], []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            digests.append(value)
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not all(map(_DIGEST.fullmatch, digests)):
        raise Forged("not of the form t=<unix>,v1=<hex>")
    expected = hmac.digest(secret.encode(), body + b"." + times[0].encode(), "sha256")
    if not any(hmac.compare_digest(expected, bytes.fromhex(digest)) for digest in digests):
        raise Forged("it does not fit the body and the secret")
    if abs(now - int(times[0])) > limits.REPLAY_S:
        raise Forged("its time is too far from ours; are both clocks right?")
    return Signed(expected, int(times[0]))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    content_type: str
    body: str


class Replays:
    """Remembers what was answered to each verified request, as long as its signature would pass.

    Bounded: when it is full the oldest is forgotten, and from then on nothing as old as that one is let in unless it is
    remembered. So a busy daemon shortens the window; it never opens it.
    """

    def __init__(self, size: int = ANSWERS) -> None:
        self._size = size
        self._answers: OrderedDict[bytes, tuple[int, Answer]] = OrderedDict()
        self._floor = 0

    def answered(self, signed: Signed) -> Answer | None:
        """The first answer to the same request, or None. Raises Forged where it may have been forgotten."""
        if found := self._answers.get(signed.digest):
            return found[1]
        if signed.at <= self._floor:
            raise Forged("older than what is still remembered")
        return None

    def remember(self, signed: Signed, answer: Answer, now: float) -> None:
        """Keep the answer; forget those whose signatures have become too old."""
        self._answers[signed.digest] = (signed.at, answer)
        while len(self._answers) > 1:
            at, _ = next(iter(self._answers.values()))
            if at + limits.REPLAY_S < now:
                self._answers.popitem(last=False)
            elif len(self._answers) > self._size:
                self._answers.popitem(last=False)
                self._floor = max(self._floor, at)
            else:
                return


# ── Callback ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class BadCallback(PeerError):
    """A genuine request that makes no sense; answered with the HTTP status `status`."""

    def __init__(self, what: str, status: int = 400) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True, slots=True)
class Callback:
    """A webhook about one call. Fields that it does not have are empty; none holds a control character.

    `from_` is what the carrier says, never an identity. `dial` is what became of a dial, where the carrier tells it apart.
    """

    call_id: str
    from_: str = ""
    to: str = ""
    status: str = ""
    direction: str = ""
    digits: str = ""
    dial: str = ""

    @property
    def unreached(self) -> bool:
        """Asked after a dial: nobody took it. A caller who has hung up meanwhile is not there to be told."""
        return (self.dial or self.status) in _UNREACHED and not (self.dial and self.ended)

    @property
    def ended(self) -> bool:
        """The call is over: nothing can be answered to it."""
        return self.status in _ENDED


_ENDED = frozenset({"completed", "failed", "noanswer", "busy", "canceled", "cancelled"})
_UNREACHED = frozenset({"failed", "noanswer", "busy"})
_NAMES = {
    "callid": "call_id", "callsid": "call_id", "from": "from_", "to": "to", "status": "status", "callstatus": "status",
    "direction": "direction", "digits": "digits", "dialcallstatus": "dial", "dialstatus": "dial",
}  # fmt: skip


def parse_callback(content_type: str, body: bytes) -> Callback:
    """Read a form or a JSON object, its names in any case, `CallId` or `call_id`, at the top or under `data`.

    Raises BadCallback: 415 for other types, 400 where it cannot be read or names no call.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        pairs = _form(body)
    elif kind == "application/json":
        pairs = _json(body)
    else:
        raise BadCallback("the body is neither a form nor JSON", status=415)
    fields: dict[str, str] = {}
    for name, value in pairs:
        field = _NAMES.get(name.replace("_", "").replace("-", "").lower())
        if field and isinstance(value, str | int) and not isinstance(value, bool):
            fields.setdefault(field, _plain(str(value))[:VALUE_CHARS])
    if not _CALL_ID.fullmatch(fields.get("call_id", "")):
        raise BadCallback("the body names no call, or not in up to 128 printable ASCII characters")
    for name in ("status", "dial"):
        if name in fields:
            fields[name] = fields[name].replace("_", "").replace("-", "").lower()
    return Callback(**fields)


def _form(body: bytes) -> Iterable[tuple[str, Any]]:
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=limits.FORM_FIELDS)
    except ValueError as error:
        raise BadCallback("the form cannot be read") from error


def _json(body: bytes) -> Iterable[tuple[str, Any]]:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadCallback("the JSON cannot be read") from error
    if not isinstance(document, dict):
        raise BadCallback("the JSON is no object")
    data = document.get("data")
    return [*document.items(), *(data.items() if isinstance(data, dict) else ())]


# ── Documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def stream_document(url: str, rate: int, metadata: str, after_url: str, track: str) -> str:
    """Stream the call to `url`, s16le at `rate` both ways, and ask `after_url` when the stream is over.

    The redirect is what saves a call whose node died: the carrier asks again, and gets another stream.
    """
    return _document(
        (
            "Stream",
            {"name": "agentd", "url": url, "track": track, "outputSamplingRate": str(rate), "openMetadata": metadata},
            "",
        ),
        ("Redirect", {"method": "POST"}, after_url),
    )


def say_document(text: str) -> str:
    """Say `text` and hang up."""
    return _document(("Say", {}, text), ("Hangup", {}, ""))


def dial_document(say: str, number: str, caller_id: str, timeout: float, after_url: str) -> str:
    """Say `say` (where there is something to say) and connect the caller to `number`, ringing for `timeout` seconds.

    A carrier that goes on behind a dial that failed asks `after_url`.
    """
    attributes = {"timeout": f"{timeout:.0f}"} | ({"callerId": caller_id} if caller_id else {})
    dial = (("Dial", attributes, number), ("Redirect", {"method": "POST"}, after_url))
    return _document(("Say", {}, say), *dial) if say else _document(*dial)


def hangup_document() -> str:
    """Hang up."""
    return _document(("Hangup", {}, ""))


def _document(*verbs: tuple[str, dict[str, str], str]) -> str:
    response = ElementTree.Element("Response")
    for tag, attributes, text in verbs:
        verb = ElementTree.SubElement(response, tag, {name: _plain(value) for name, value in attributes.items()})
        verb.text = _plain(text) or None
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(response, encoding="unicode")


def _plain(text: str) -> str:
    """Without control characters, of text direction too, and what XML cannot hold; ElementTree escapes the rest."""
    return _NOT_PLAIN.sub(" ", text).strip()


# ── Handshake ────────────────────────────────────────────────────────────────────────────────────────────────────────


def choose_subprotocol(offered: Iterable[str]) -> str | None:
    """The subprotocol to answer, exactly as offered, or None: not a switch that we know."""
    return next((name for name in offered if name in SUBPROTOCOLS), None)
