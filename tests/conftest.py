from __future__ import annotations

from tests.fakes.postgres import postgres

__all__ = ["postgres"]
