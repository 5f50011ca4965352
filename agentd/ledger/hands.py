"""The hands: how a row's request reaches the world. The flow kit makes them from an author's tools."""

from __future__ import annotations

from typing import Protocol

from agentd.ledger.events import Answer, Ask, NotSent
from agentd.ledger.row import Row


class Hands(Protocol):
    """Sends requests of rows. One object serves a call, or, after a crash, all rows of its flow."""

    async def send(self, row: Row, ask: Ask) -> Answer:
        """Send one request and say what came of it, within the row's timeout; raises nothing.

        Cancelled: whether the request was carried out is not known.
        """


class NoHands:
    """Those of a call whose flow is not here, for the reason `why`: nothing is sent, and a human is told."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def send(self, row: Row, ask: Ask) -> Answer:
        """See Hands. Cancelled: nothing was sent."""
        return NotSent(self._why)
