"""Sautikit's voice webhook: who may come in, and what the carrier does with the call next.

It is asked when a call comes in, again when the call's stream is over (the document says so), and when the call has ended.
What the call decided is the desk's to know; this file checks, asks the desk and writes the document.

After a dial it is asked at another address. There a carrier that tells what became of the dial gets the caller back to the
agent where nobody took it; one that tells nothing cannot be told from one whose caller and human have talked and are done, so
that the call ends. Sautikit documents no status of a dial; the names of others are understood, and its own for a call.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from agentd.carriers.sautikit.control import (
    SIGNATURE,
    XML,
    Answer,
    BadCallback,
    Callback,
    Forged,
    Replays,
    dial_document,
    hangup_document,
    parse_callback,
    say_document,
    stream_document,
    verify,
)
from agentd.carriers.tokens import Tokens
from agentd.errors import SettingsError

log = logging.getLogger(__name__)

CARRIER = "sautikit"
VOICE_PATH = "/sautikit/voice"
DIALLED_PATH = "/sautikit/dialled"
STATUS_PATH = "/sautikit/status"
MEDIA_PATH = "/media/sautikit/"
"""Under it stands the token."""

BUSY = "All our lines are busy at the moment. Please call again in a few minutes."

NO_SUCH_NUMBER = "This number is not in service."

UNREACHED = "I am sorry, nobody can take your call at the moment. Please call again later."

RING_S = 30.0
"""How long the switch rings where a call is handed over: six rings, then the caller should hear something else."""

COMPLAIN_S = 60.0
"""Between two warnings of refused webhooks."""

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller to `number`, after saying `say`."""

    number: str
    say: str = ""
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class Hangup:
    """The call is over, after saying `say`."""

    say: str = ""


@dataclass(frozen=True, slots=True)
class Continue:
    """The call is undecided and has no stream any more: it gets another one."""


NextStep = Dial | Hangup | Continue


class Desk(Protocol):
    """What the daemon knows about its calls. Answers at once: a carrier is waiting."""

    def admit(self, callback: Callback) -> str:
        """Take a place for a new call; else the sentence that the caller hears: the daemon is full, say, or drains."""

    def next_step(self, call_id: str) -> NextStep | None:
        """What the call decided; None where it was never seen."""

    def unreached(self, call_id: str) -> NextStep:
        """Nobody took the dial that the call decided for: what comes next."""

    def ended(self, call_id: str) -> None:
        """The carrier says that the call is over."""


class VoiceWebhook:
    """Answers Sautikit. `public_url` is where the world finds this daemon, from the settings and never from a request.

    Raises SettingsError without a secret: an unsigned webhook would let anybody in.
    """

    def __init__(self, secret: str, public_url: str, rate: int, track: str, tokens: Tokens, desk: Desk) -> None:
        if not secret.strip():
            raise SettingsError(
                "no signing secret is set, so that anybody could start calls.",
                where="sautikit.secret",
                mend="copy the number's voice signing secret from Sautikit into the settings or the environment.",
            )
        url = urlsplit(public_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.query or url.fragment:
            raise SettingsError(
                f"{public_url!r} is no address that a carrier could call.",
                where="public_url",
                mend='write it like "https://agent.example.com".',
            )
        self._secret = secret
        self._base = url.geturl().rstrip("/")
        self._rate, self._track = rate, track
        self._tokens, self._desk = tokens, desk
        self._replays = Replays()
        self._complained = 0.0

    async def handle(
        self, method: str, headers: Mapping[str, str], body: bytes, now: float, *, dialled: bool = False
    ) -> tuple[int, str, str]:
        """(status, content type, body) for a request to `VOICE_PATH`, or to `DIALLED_PATH`: a dial is over.

        `headers` are lower-case, `now` is the time of day.

        The signature comes first: a request without a true one learns and changes nothing. It never waits, so that nothing
        can be left behind when it is cancelled.
        """
        if method != "POST":
            return 405, TEXT, "POST only\n"
        if SIGNATURE not in headers:
            return 401, TEXT, f"{SIGNATURE} is missing\n"
        try:
            signed = verify(headers, body, self._secret, now)
            answer = self._replays.answered(signed)
            if answer is None:
                answer = self._decide(parse_callback(headers.get("content-type", ""), body), dialled=dialled)
                self._replays.remember(signed, answer, now)
        except Forged as error:
            self._complain(error, now)
            return 401, TEXT, f"{error}\n"
        except BadCallback as error:
            return error.status, TEXT, f"{error}\n"
        return answer.status, answer.content_type, answer.body

    def _complain(self, error: Forged, now: float) -> None:
        """Tell the operator, for a wrong secret is an easy mistake; not each time, for a forger must not fill the log."""
        if now - self._complained >= COMPLAIN_S:
            self._complained = now
            log.warning("a webhook was refused (%s): is sautikit.secret this number's own?", error)

    async def stream_event(self) -> tuple[int, str, str]:
        """(status, content type, body) for a request to `STATUS_PATH`: heard, and believed only as far as our own socket
        tells the same, since these may come unsigned. Never waits."""
        return 200, TEXT, ""

    def _decide(self, callback: Callback, *, dialled: bool) -> Answer:
        if dialled and callback.unreached:
            return self._document(callback, self._desk.unreached(callback.call_id))
        if callback.ended:
            self._desk.ended(callback.call_id)
            return Answer(200, TEXT, "")
        return self._document(callback, Hangup() if dialled else self._desk.next_step(callback.call_id))

    def _document(self, callback: Callback, step: NextStep | None) -> Answer:
        match step:
            case Dial(number, say, caller_id):
                document = dial_document(say, number, caller_id, RING_S, self._base + DIALLED_PATH)
            case Hangup(say):
                document = say_document(say) if say else hangup_document()
            case Continue():
                document = self._stream(callback.call_id)
            case None:
                refusal = self._desk.admit(callback)
                document = say_document(refusal) if refusal else self._stream(callback.call_id)
        return Answer(200, XML, document)

    def _stream(self, call_id: str) -> str:
        token = self._tokens.mint(call_id, CARRIER)
        url = "ws" + self._base.removeprefix("http") + MEDIA_PATH + token
        return stream_document(url, self._rate, token, self._base + VOICE_PATH, self._track)
