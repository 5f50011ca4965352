from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ledger.keeping import Place


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database, of either kind; its stores are closed at the end."""
    if request.param == "sqlite":
        place = Place(f"sqlite:///{tmp_path}/ledger.sqlite")
    else:
        place = Place(request.getfixturevalue("postgres").fresh())
    yield place
    place.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Place]:
    """An empty SQLite file."""
    place = Place(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield place
    place.close()
