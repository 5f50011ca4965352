"""kill -9 with twenty live calls, two nodes on one ledger, and a node that was paused past its lease and woke up."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from agentd.ledger.storage.store import open_store
from agentd.ledger.storage.vault import Vault
from ops.bench.crowd import Crowd
from tests.crash.nodes import KEY, Node, Tally, call, in_the_air, judge, rounds, settled, talk
from tests.fakes import booking
from tests.fakes.postgres import Postgres


def clean(tally: Tally) -> None:
    """Nothing was doubled, lost, left or told wrong, and there was something to settle."""
    assert (tally.doubled, tally.lost, tally.unsettled, tally.wrong) == (0, 0, 0, []), str(tally)
    assert tally.left, "the daemons died in the middle of something"


@pytest.mark.slow
def test_a_daemon_killed_with_twenty_live_calls_doubles_and_loses_nothing(tmp_path: Path) -> None:
    tally = rounds(20, f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "calls")
    print(tally)
    clean(tally)


@pytest.mark.slow
@pytest.mark.postgres
def test_another_node_settles_what_a_killed_one_left(postgres: Postgres, tmp_path: Path) -> None:
    """Two nodes on one PostgreSQL, both with live calls; each in turn is killed and started again."""
    tally, chance, ledger = Tally(), random.Random(1), postgres.fresh()
    store = open_store(ledger, Vault((KEY,)))
    with booking.process() as office:
        nodes = [Node(tmp_path / name, ledger, office.url, "secret") for name in ("a", "b")]
        for number in range(6):
            crowd = Crowd()
            for node in nodes:
                call(node, crowd, chance, 10)
            talk(crowd, chance.uniform(1.0, 4.0))
            nodes[number % 2].kill()
            tally.left += len(in_the_air(store))
            tally.rounds += 1
            talk(crowd, 2.0)  # the other node's calls go on, while it settles those of the dead one
            crowd.close()
            nodes[number % 2] = Node(tmp_path / "ab"[number % 2], ledger, office.url, "secret")
        cases = settled(store, time.monotonic(), tally)
        for node in nodes:
            node.end()
        judge(cases, office.world(), tally)
    store.close()
    print(tally)
    clean(tally)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_node_paused_past_its_lease_writes_nothing_when_it_wakes(postgres: Postgres, tmp_path: Path) -> None:
    tally, chance, ledger = Tally(), random.Random(2), postgres.fresh()
    store = open_store(ledger, Vault((KEY,)))
    with booking.process() as office:
        paused, other = (Node(tmp_path / name, ledger, office.url, "secret") for name in ("a", "b"))
        for _ in range(2):
            crowd = Crowd()
            call(paused, crowd, chance)
            talk(crowd, chance.uniform(2.0, 4.0))
            paused.signal(signal.SIGSTOP)
            tally.left += len(in_the_air(store))
            tally.rounds += 1
            settled(store, time.monotonic(), tally)
            assert not in_the_air(store), "the other node has taken over and settled, while the owner stood still"
            paused.signal(signal.SIGCONT)
            talk(crowd, 2.0)
            crowd.close()
        crowd = Crowd()
        call(paused, crowd, chance)  # it has joined anew, and takes calls again
        talk(crowd, 3.0)
        crowd.close()
        cases = settled(store, time.monotonic(), tally)
        for node in (paused, other):
            node.end()
        judge(cases, office.world(), tally)
    store.close()
    print(tally)
    clean(tally)
