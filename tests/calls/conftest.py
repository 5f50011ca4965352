from __future__ import annotations

import os

import pytest
import trio


@pytest.fixture(autouse=True)
def _one_order_of_tasks() -> None:
    """Trio shuffles its tasks; here each test shuffles alike in every run. CALLS_SEED=n tries another order."""
    trio._core._run._r.seed(int(os.environ.get("CALLS_SEED", "0")))
