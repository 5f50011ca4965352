"""The sweep in CI: with every event and a millisecond before and after it, and every 20 ms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from agentd.ledger.storage.ledger import Ledger
from tests.calls.effects import open_ledger
from tests.laws.sweep import DIALECTS, Point, arrivals, faults, grid, near_events, play
from tests.laws.sweep_table import Class, Words

EVERY = [pytest.param(of, words, id=f"{of.name}-{words.name}") for of in Class for words in Words]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One for all, so that each undisturbed turn is played once."""
    with open_ledger(tmp_path_factory.mktemp("sweep")) as ledger:
        yield ledger


def check(points: Iterable[Point], ledger: Ledger) -> None:
    wrong = {str(point): found for point in dict.fromkeys(points) if (found := faults(point, play(point, ledger)))}
    assert not wrong, "\n".join(f"{point}: {found}" for point, found in wrong.items())


@pytest.mark.parametrize(("of", "words"), EVERY)
def test_a_turn_that_is_disturbed_now_and_then_ends_as_the_table_says(of: Class, words: Words, ledger: Ledger) -> None:
    check((p for n, dialect in enumerate(DIALECTS) for p in grid(of, words, dialect, ledger, 500, 250 * n)), ledger)


@pytest.mark.slow
@pytest.mark.parametrize(("of", "words"), EVERY)
def test_a_turn_that_is_disturbed_every_20_ms_ends_as_the_table_says(of: Class, words: Words, ledger: Ledger) -> None:
    """The carriers take turns."""
    check((p for n, dialect in enumerate(DIALECTS) for p in grid(of, words, dialect, ledger, 40, 20 * n)), ledger)


@pytest.mark.slow
@pytest.mark.parametrize(("of", "words"), EVERY)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_turn_that_is_disturbed_with_an_event_ends_as_the_table_says(
    of: Class, words: Words, dialect: str, ledger: Ledger
) -> None:
    check((*near_events(of, words, dialect, ledger), *arrivals(of, words, dialect, ledger)), ledger)
