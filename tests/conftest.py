from __future__ import annotations

from tests.calls.effects import ledger
from tests.fakes.postgres import postgres

__all__ = ["ledger", "postgres"]
