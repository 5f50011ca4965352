"""The switch: asks the daemon what to do with a call, and does it, verb by verb, until the document or the caller ends it."""

from __future__ import annotations

import urllib.parse
from collections import deque
from dataclasses import dataclass, field

from agentd.simulate.documents import Dial, Hangup, Redirect, Say, Stream, Verb
from agentd.simulate.errors import Broke, Refused
from agentd.simulate.line import Line
from agentd.simulate.media import Media, Settings, Traffic
from agentd.simulate.webhook import Webhook

MAX_DOCUMENTS = 20
"""Documents of one call: more are a redirect that goes round in circles."""

SAY_WORD_S = 0.3
"""How long the switch's own voice takes over a word; it is not recorded."""

BRIDGED_S = 1.0
"""How long a transferred call is followed."""

UNREACHED_S = 2.0
"""How long it rings where nobody takes it; a real switch rings for the document's time."""


@dataclass(slots=True)
class Switch:
    """Carries out one call. `dial` is what becomes of each <Dial>; `streams`, `said` and `dialled` tell what it did."""

    line: Line
    webhook: Webhook
    settings: Settings
    dial: str = "completed"
    traffic: Traffic = field(default_factory=Traffic)
    streams: int = 0
    said: list[str] = field(default_factory=list)
    dialled: str | None = None
    ended: str = "the caller hung up"
    _media: Media | None = None
    _unreached: bool = False

    async def run(self, url: str) -> None:
        """Run the call from ringing to its end; raises Refused or Broke. Cancelled: the media socket is dropped."""
        verbs = await self._ask(url, "ringing")
        for _ in range(MAX_DOCUMENTS):
            following = await self._carry_out(verbs)
            if following is None:
                break
            url = urllib.parse.urljoin(url, following.url)
            verbs = await self._ask(url, "in-progress")
        else:
            raise Broke(f"the daemon redirected {MAX_DOCUMENTS} times, and the call came to no end")
        if not self.streams and self.dialled is None and not self.line.hung_up.is_set():
            raise Refused(f"the daemon did not take the call: {' '.join(self.said) or 'it hung up'}")

    def press(self, digit: str) -> None:
        """A key of the caller's."""
        if self._media is not None:
            self._media.press(digit)

    async def _ask(self, url: str, status: str) -> deque[Verb]:
        verbs = await self.webhook.ask(url, status, self.dial if self._unreached else "")
        self._unreached = False
        self.line.log(f"webhook ({status}): {', '.join(type(verb).__name__ for verb in verbs) or 'an empty document'}")
        return deque(verbs)

    async def _carry_out(self, verbs: deque[Verb]) -> Redirect | None:
        """Do one document's verbs; answers where to ask for the next, or None at the call's end."""
        for verb in verbs:
            if self.line.hung_up.is_set():
                return None
            match verb:
                case Say(text):
                    self.said.append(text)
                    self.line.log(f"switch says: {text}")
                    await self.line.pass_time(SAY_WORD_S * len(text.split()))
                case Stream():
                    await self._stream(verb)
                case Dial(number):
                    if await self._connect(number, verb.timeout):
                        return None
                case Redirect():
                    return verb
                case Hangup():
                    break
        if not self.line.hung_up.is_set():
            self.ended = "the agent hung up"
            self.line.log("switch hangs up")
        return None

    async def _connect(self, number: str, patience: float) -> bool:
        """Dial, and tell whether somebody took it. Cancelled: nobody did."""
        self.dialled = number
        self._unreached = self.dial != "completed"
        if self._unreached:
            self.line.log(f"switch dials {number} for {patience:g} s, and nobody takes it: {self.dial}")
            await self.line.pass_time(UNREACHED_S)
            return False
        self.ended = f"transferred to {number}"
        self.line.log(f"switch dials {number} for {patience:g} s and connects it with the caller")
        await self.line.pass_time(BRIDGED_S)
        return True

    async def _stream(self, verb: Stream) -> None:
        self.streams += 1
        self._media = Media(verb, self.line, self.settings, self.traffic)
        try:
            how = await self._media.run()
        finally:
            self._media = None
        self.line.log(f"stream ended: {how}")
