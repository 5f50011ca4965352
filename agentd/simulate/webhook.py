"""The switch's question to the daemon: what shall I do with this call?"""

from __future__ import annotations

import functools
import ssl
import time
import urllib.parse
from dataclasses import dataclass

import httpx

from agentd.simulate.documents import Verb, parse
from agentd.simulate.errors import Broke, Refused
from agentd.simulate.signing import HEADER, sign

PATIENCE_S = 10.0
"""A switch waits this long for the answer to a webhook."""

MAX_DOCUMENT = 64 * 1024
"""Bytes of a document; they have some hundred."""


@functools.cache
def _trust() -> ssl.SSLContext:
    """Read once: it takes 30 ms, in which every other call would stutter."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Asks for one call's documents, each question signed."""

    call_id: str
    caller: str
    callee: str
    secret: str

    async def ask(self, url: str, status: str, dial: str = "") -> tuple[Verb, ...]:
        """Post the call's state to `url`, with what became of a `dial`, and read the document; raises Refused or Broke.

        Cancelled: it is closed.
        """
        fields = {"CallId": self.call_id, "From": self.caller, "To": self.callee, "Direction": "inbound", "CallStatus": status}
        fields |= {"DialCallStatus": dial} if dial else {}
        body = urllib.parse.urlencode(fields).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            HEADER: sign(self.secret, body, int(time.time())),
        }
        try:
            async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False, verify=_trust()) as client:
                answer = await client.post(url, content=body, headers=headers)
        except httpx.TimeoutException:
            raise Broke(f"{url} did not answer within {PATIENCE_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Broke(f"{url} cannot be asked: {error or type(error).__name__}. Does the daemon run there?") from error
        return self._read(url, answer)

    def _read(self, url: str, answer: httpx.Response) -> tuple[Verb, ...]:
        if answer.status_code in (401, 403):
            raise Refused(
                f"{url} refused the webhook's signature ({answer.status_code}); "
                "give the daemon's own secret with --secret or AGENTD_SAUTIKIT_SECRET"
            )
        if answer.status_code != 200:
            raise Broke(f"{url} answered {answer.status_code} {answer.reason_phrase}, where a document was due")
        kind = answer.headers.get("content-type", "").split(";")[0].strip()
        if kind not in ("application/xml", "text/xml"):
            raise Broke(f"{url} answered {kind or 'no content type'}, where application/xml was due")
        if len(answer.content) > MAX_DOCUMENT:
            raise Broke(f"{url} answered {len(answer.content)} bytes; a document has at most {MAX_DOCUMENT}")
        return parse(answer.text)
