"""Several processes on one ledger: who is dead is told from who is only slow, and never the other way round."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from agentd.errors import LedgerDown
from agentd.ledger.row import Verdict
from tests.fakes.postgres import Postgres
from tests.unit.ledger.keeping import Place, call, kept, names, row, rows_of

T = TypeVar("T")


def patiently(work: Callable[[], T]) -> T:
    """What it answers once the ledger is up again."""
    for _ in range(100):
        try:
            return work()
        except LedgerDown:
            time.sleep(0.02)
    raise TimeoutError("the ledger stays down")


def until_some(work: Callable[[], list[T]]) -> list[T]:
    """What it answers once it answers something: a server notices within moments that a session has ended."""
    for _ in range(200):
        if found := work():
            return found
        time.sleep(0.02)
    raise TimeoutError("nothing is found")


class Other:
    """Another process, that owns one call with an open row."""

    def __init__(self, url: str, name: str, lease_s: float = 60.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.ledger.owner", url, name, str(lease_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._line()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(place: Place) -> Iterator[Callable[..., Other]]:
    others: list[Other] = []

    def start(name: str, lease_s: float = 60.0) -> Other:
        others.append(Other(place.url, name, lease_s))
        return others[-1]

    yield start
    for other in others:
        other.kill()


def test_who_was_killed_is_taken_over_at_once_and_who_lives_is_not(place: Place, start: Callable[..., Other]) -> None:
    killed, alive = start("killed"), start("alive")
    heir = place.open()
    assert heir.take_over() == []
    killed.kill()
    (case,) = until_some(heir.take_over)
    assert (case.call.id, [one.id for one in case.rows]) == ("killed", ["row-of-killed"])
    assert alive.ask("settle") == "1"
    assert heir.take_over() == []


def test_a_file_tells_a_stopped_process_from_a_dead_one(file: Place) -> None:
    stopped = Other(file.url, "stopped")
    try:
        stopped.signal(signal.SIGSTOP)
        assert file.open().take_over() == []
        stopped.signal(signal.SIGCONT)
        assert stopped.ask("send") == "True"
        assert stopped.ask("settle") == "1"
    finally:
        stopped.kill()


def test_a_lock_that_somebody_deleted_is_a_dead_owners_and_the_owner_writes_nothing(file: Place) -> None:
    robbed = Other(file.url, "robbed")
    try:
        (lock,) = file.file.parent.glob("*.owner-*")
        lock.unlink()
        assert names(file.open().take_over()) == ["robbed"]
        assert robbed.ask("settle") == "Fenced"
        assert robbed.ask("renew") == "False"
        assert robbed.ask("renew") == "True"
    finally:
        robbed.kill()


def test_what_a_dead_owner_leaves_beside_the_file_is_cleared_away(file: Place) -> None:
    dead = Other(file.url, "dead")
    dead.kill()
    assert len(list(file.file.parent.glob("*.owner-*"))) == 1
    heir = file.open()
    heir.take_over()
    assert len(list(file.file.parent.glob("*.owner-*"))) == 1
    heir.close()
    assert list(file.file.parent.glob("*.owner-*")) == []


def test_renewing_puts_what_was_written_in_its_place_so_that_no_write_has_to(file: Place) -> None:
    store = file.open()
    store.write(call(), [row("a-row-to-look-for")])
    assert b"a-row-to-look-for" not in file.file.read_bytes()
    store.renew()
    assert b"a-row-to-look-for" in file.file.read_bytes()


@pytest.mark.postgres
class TestOnPostgres:
    """Sessions and leases. A lease runs on the server's clock, so that these wait in real time."""

    @pytest.fixture
    def place(self, postgres: Postgres) -> Iterator[Place]:
        place = Place(postgres.fresh())
        yield place
        place.close()

    def test_who_is_stopped_beyond_its_lease_is_taken_over_and_writes_nothing_when_it_wakes(
        self, place: Place, start: Callable[..., Other]
    ) -> None:
        heir, stopped = place.open(), start("stopped", lease_s=2.0)
        stopped.signal(signal.SIGSTOP)
        assert heir.take_over() == []
        time.sleep(2.1)
        assert names(heir.take_over()) == ["stopped"]
        stopped.signal(signal.SIGCONT)
        assert stopped.ask("send") == "False"
        assert stopped.ask("settle") == "Fenced"
        assert stopped.ask("renew") == "False"
        assert stopped.ask("renew") == "True"
        assert rows_of(heir.of_call("stopped"))[0].verdict is Verdict.OPEN

    def test_who_is_stopped_in_the_middle_of_a_write_keeps_its_call_from_nobody_for_long(self, place: Place) -> None:
        owner, heir = place.open(lease_s=0.2), place.open(lease_s=0.2)
        owner.write(call(), [row()])
        owner.write(call("c2"), [row("r2", "c2")])

        def stop_with_the_call_locked() -> None:
            with owner.writing() as connection:
                connection.exec_driver_sql("SELECT 1 FROM ledger_calls WHERE id = 'c1' FOR UPDATE")
                time.sleep(0.4)
                assert names(heir.take_over()) == ["c2"]
                time.sleep(2.0)

        with pytest.raises(LedgerDown):
            stop_with_the_call_locked()
        assert names(heir.take_over()) == ["c1"]

    def test_a_lease_is_renewed(self, place: Place) -> None:
        owner, heir = place.open(lease_s=1.0), place.open()
        owner.write(call(), [row()])
        for _ in range(3):
            time.sleep(0.6)
            assert owner.renew()
            assert heir.take_over() == []

    def test_a_request_leaves_only_under_a_lease_that_outlasts_it(self, place: Place) -> None:
        owner, heir = place.open(lease_s=0.2), place.open()
        fence = owner.write(call(), [row()])
        assert owner.may_send("c1", 1.5, fence)
        assert owner.renew()
        time.sleep(0.5)
        assert heir.take_over() == []
        time.sleep(2.2)
        assert names(heir.take_over()) == ["c1"]
        assert not owner.may_send("c1", 1.5, fence)

    def test_a_session_that_was_cut_comes_back_with_its_lock(self, place: Place, postgres: Postgres) -> None:
        owner = place.open()
        fence = owner.write(call(), [row()])
        postgres.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'ledger%'")
        assert owner.renew()
        assert place.open().take_over() == []
        assert patiently(lambda: owner.write(call(), [kept(row())], fence=fence)) == fence

    def test_a_server_that_starts_anew_makes_nobody_dead(self, place: Place, postgres: Postgres) -> None:
        owner, heir = place.open(lease_s=3.0), place.open(lease_s=3.0)
        fence = owner.write(call(), [row()])
        postgres.stop()
        with pytest.raises(LedgerDown):
            owner.write(call(), [kept(row())], fence=fence)
        time.sleep(3.1)
        postgres.start()
        assert patiently(heir.take_over) == []
        assert patiently(owner.renew)
        assert patiently(heir.take_over) == []
        assert patiently(lambda: owner.write(call(), [kept(row())], fence=fence)) == 1
