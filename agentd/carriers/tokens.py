"""Media tokens: what a carrier must show before its socket gets anything. Signed, short-lived, good for one use.

A token names the call that the webhook let in. It stands in the stream's URL and in its metadata, both of which come back
from the carrier; whoever has not been through the webhook has none.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agentd import limits
from agentd.errors import PeerError, SettingsError

KEY_BYTES = 16
"""The shortest key that is no guess."""

TOKEN_CHARS = 1024
"""A token has some 200 characters; a longer text is none."""

USED = 65_536
"""Used tokens remembered: a thousand calls a second for a token's life. No call is let in beyond that."""


class BadToken(PeerError):
    """No entry with this token; `reason` says why. The socket is refused, or closed with 1008 (policy violation)."""

    def __init__(self, reason: Literal["malformed", "forged", "expired", "used", "foreign", "full"]) -> None:
        super().__init__(f"media token: {reason}", close_code=1008, outcome="bad_token")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token stands for."""

    call_id: str
    carrier: str


class Tokens:
    """Mints and redeems tokens. `clock` gives the time of day in seconds, so that nodes that share `key` agree on it."""

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        if len(key) < KEY_BYTES:
            raise SettingsError(f"the media token key has {len(key)} bytes.", mend=f"give it {KEY_BYTES} random bytes or more.")
        self._key = key
        self._clock = clock
        self._used: OrderedDict[str, float] = OrderedDict()

    def mint(self, call_id: str, carrier: str) -> str:
        """A fresh token for one stream of this call, safe in a URL's path; good for `limits.TOKEN_S`."""
        fields = [call_id, carrier, self._clock() + limits.TOKEN_S, secrets.token_urlsafe(12)]
        payload = _encode(json.dumps(fields, separators=(",", ":")).encode())
        return f"{payload}.{self._sign(payload)}"

    def redeem(self, token: str) -> Claim:
        """What `token` stands for, once. Raises BadToken: malformed, forged, expired, used, or full."""
        payload, dot, signature = token.partition(".")
        if not dot or not payload or not token.isascii() or len(token) > TOKEN_CHARS:
            raise BadToken("malformed")
        # The text itself is signed, not what it decodes to: each token has one spelling.
        if not hmac.compare_digest(self._sign(payload), signature):
            raise BadToken("forged")
        call_id, carrier, expires, nonce = _decode(payload)
        now = self._clock()
        if now >= expires:
            raise BadToken("expired")
        self._use(nonce, now)
        return Claim(call_id, carrier)

    def _use(self, nonce: str, now: float) -> None:
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if nonce in self._used:
            raise BadToken("used")
        if len(self._used) >= USED:
            raise BadToken("full")
        # Kept for a token's life from now on, that is at least until this one expires; so the oldest always stands first.
        self._used[nonce] = now + limits.TOKEN_S

    def _sign(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), "sha256"))


def carries(metadata: str, token: str) -> bool:
    """Whether a stream's metadata shows `token`: as it is, or as `token` in a JSON object where the carrier adds fields."""
    shown: object = metadata
    if metadata.startswith("{"):
        try:
            shown = json.loads(metadata).get("token")
        except (ValueError, RecursionError):
            return False
    return isinstance(shown, str) and hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(payload: str) -> tuple[str, str, float, str]:
    """The fields of a payload that we signed: only another version of ourselves could have filled it otherwise."""
    try:
        fields = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (Base64Error, ValueError) as error:
        raise BadToken("foreign") from error
    match fields:
        case [str(call_id), str(carrier), int() | float() as expires, str(nonce)]:
            return call_id, carrier, float(expires), nonce
    raise BadToken("foreign")
