"""The hands: how a row's request reaches the world. The flow kit makes them from an author's tools."""

from __future__ import annotations

from typing import Protocol

from agentd.ledger.events import Answer, Ask
from agentd.ledger.row import Row


class Hands(Protocol):
    """Sends requests of rows. One object serves a call, or, after a crash, all rows of its flow."""

    async def send(self, row: Row, ask: Ask) -> Answer:
        """Send one request and say what came of it, within the row's timeout; raises nothing.

        Cancelled: whether the request was carried out is not known.
        """
