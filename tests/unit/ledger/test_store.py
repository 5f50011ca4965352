"""What is written is there, whole, sealed and only by its owner."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from agentd.errors import Fenced, InternalBug, LedgerDown, OperatorError
from agentd.ledger.row import Fact, Told, Verdict
from agentd.ledger.storage.vault import ERASED
from tests.unit.ledger.keeping import DAY, KEY, OTHER_KEY, Place, call, dropped, kept, lose_the_lock, names, row, rows_of

# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_one_process_writes_another_reads(place: Place) -> None:
    one = row(fact=Fact.SENT, told=Told.TELLING, needs=("r0",), result='{"id": 7}', error="busy", expires=5.5)
    place.open().write(call(), [row("r2", seq=2), one])
    case = place.open().of_call("c1")
    assert case is not None
    assert case.call == call()
    assert case.rows == (one, row("r2", seq=2))


def test_a_later_write_of_a_row_replaces_it(place: Place) -> None:
    store = place.open()
    store.write(call(), [row()])
    store.write(call(), [kept(row())], ended=True)
    case = store.of_call("c1")
    assert rows_of(case) == (kept(row()),)
    assert case is not None
    assert case.call == replace(call(), ended=place.now)


def test_a_write_is_synced_before_it_returns(file: Place) -> None:
    store = file.open()
    with store.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_second_verdict_is_refused_and_nothing_of_its_write_remains(place: Place) -> None:
    store = place.open()
    store.write(call(), [kept(row())])
    with pytest.raises(InternalBug, match="second verdict"):
        store.write(call(), [row("r2", seq=2), dropped(row())])
    assert rows_of(store.of_call("c1")) == (kept(row()),)
    with pytest.raises(InternalBug, match="second verdict"):
        store.write(call(), [row()])


def test_the_same_verdict_may_be_written_again(place: Place) -> None:
    store = place.open()
    store.write(call(), [kept(row())])
    store.write(call(), [replace(kept(row()), noticed=True)])
    assert rows_of(store.of_call("c1"))[0].noticed


def test_a_rows_id_belongs_to_one_call(place: Place) -> None:
    store = place.open()
    store.write(call(), [row()])
    with pytest.raises(InternalBug):
        store.write(call("c2"), [row(of="c2")])
    assert store.of_call("c2") is None


def test_a_call_without_rows_costs_the_ledger_nothing(place: Place) -> None:
    store = place.open()
    store.write(call(), [], ended=True)
    assert store.of_call("c1") is None
    assert place.ask("SELECT count(*) FROM ledger_owners") == [0]


def test_a_write_that_is_given_up_before_its_commit_is_not_made(place: Place) -> None:
    store = place.open()
    answers = iter([False, True])
    for given_up in (lambda: True, lambda: next(answers)):
        with pytest.raises(LedgerDown):
            store.write(call(), [row()], given_up=given_up)
    assert store.of_call("c1") is None
    store.write(call(), [row()])
    assert rows_of(store.of_call("c1")) == (row(),)


# ── Owning ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_its_owner_writes_a_call(place: Place) -> None:
    mine, other = place.open(), place.open()
    mine.write(call(), [row()])
    with pytest.raises(Fenced):
        other.write(call(), [kept(row())])
    with pytest.raises(Fenced):
        other.write(call(), [], ended=True)
    assert rows_of(mine.of_call("c1")) == (row(),)


def test_a_dead_owners_calls_are_taken_over_where_something_is_left_to_do(place: Place) -> None:
    dead, heir = place.open(), place.open()
    dead.write(call("unsettled"), [row("r1", "unsettled"), kept(row("r2", "unsettled", 2))])
    dead.write(call("unsettled"), [], ended=True)
    dead.write(call("not-ended"), [kept(row("r3", "not-ended"))])
    dead.write(call("over"), [kept(row("r4", "over"))])
    dead.write(call("over"), [], ended=True)
    assert heir.take_over() == []
    dead.close()
    taken = heir.take_over()
    assert names(taken) == ["not-ended", "unsettled"]
    assert [one.id for case in taken for one in case.rows if case.call.id == "unsettled"] == ["r1", "r2"]
    assert names(heir.unsettled()) == names(taken)
    heir.write(call("unsettled"), [dropped(row("r1", "unsettled"))])
    assert names(heir.unsettled()) == ["not-ended"]
    assert heir.take_over() == []


def test_who_was_taken_over_writes_nothing_of_it_any_more(place: Place) -> None:
    paused, heir = place.open(), place.open()
    fence = paused.write(call(), [row()])
    lose_the_lock(paused)
    heir.take_over()
    with pytest.raises(Fenced):
        paused.write(call(), [kept(row())], fence=fence)
    assert rows_of(heir.of_call("c1")) == (row(),)


def test_who_was_taken_for_dead_joins_anew_and_opens_new_calls(place: Place) -> None:
    paused, heir = place.open(), place.open()
    paused.write(call(), [row()])
    assert paused.renew()
    lose_the_lock(paused)
    heir.take_over()
    assert not paused.renew()
    assert paused.renew()
    paused.write(call("c2"), [row("r2", "c2")])
    assert heir.take_over() == []
    assert names(heir.unsettled()) == ["c1"]
    assert names(paused.unsettled()) == ["c2"]


def test_a_driver_from_before_does_not_write_what_its_own_process_took_over(place: Place) -> None:
    store = place.open()
    fence = store.write(call(), [row()])
    place.ask("DELETE FROM ledger_owners")
    assert not store.renew()
    assert names(store.take_over()) == ["c1"]
    with pytest.raises(Fenced):
        store.write(call(), [kept(row())], fence=fence)
    store.write(call(), [dropped(row())])


def test_two_heirs_share_a_dead_owners_calls_without_a_second_claim(place: Place) -> None:
    dead, heirs = place.open(), [place.open() for _ in range(3)]
    for number in range(40):
        dead.write(call(f"c{number}"), [row(f"r{number}", f"c{number}")])
    dead.close()
    with ThreadPoolExecutor() as threads:
        taken = [name for cases in threads.map(lambda heir: heir.take_over(), heirs) for name in names(cases)]
    assert sorted(taken) == sorted(f"c{number}" for number in range(40))


# ── Privacy ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_tells_nothing_of_what_callers_gave(file: Place) -> None:
    store = file.open()
    store.write(call(), [row(result='{"patient": "Jane"}', resource="doctor-jane", error="Jane is unknown")])
    store.write(call(), [kept(row())], ended=True)
    on_disk = b"".join(path.read_bytes() for path in file.file.parent.iterdir())
    assert b"receptionist" in on_disk
    assert b"Jane" not in on_disk
    assert b"jane" not in on_disk
    assert b"15550142" not in on_disk


def test_arguments_are_erased_some_days_after_all_of_their_call_is_settled(place: Place) -> None:
    store = place.open()
    store.write(call(), [kept(row()), row("r2", seq=2)])
    (digest,) = place.ask("SELECT digest FROM ledger_rows WHERE id = 'r1'")
    place.now += 40 * DAY
    assert store.erase(30) == 0
    store.write(call(), [dropped(row("r2", seq=2))], ended=True)
    assert store.erase(30) == 0
    place.now += 31 * DAY
    assert store.erase(30) == 2
    assert store.erase(30) == 0
    case = store.of_call("c1")
    assert case is not None
    assert {(one.args, one.identity, one.result, one.error) for one in case.rows} == {(ERASED, ERASED, ERASED, "")}
    assert (case.call.caller, case.call.called, case.call.flow) == (ERASED, ERASED, "receptionist")
    assert place.ask("SELECT digest FROM ledger_rows WHERE id = 'r1'") == [digest]


def test_a_row_that_is_written_again_has_been_settled_since_the_first_time(place: Place) -> None:
    store = place.open()
    store.write(call(), [kept(row())])
    since = place.now
    place.now += DAY
    store.write(call(), [replace(kept(row()), noticed=True)])
    assert place.ask("SELECT settled FROM ledger_rows") == [since]


def test_an_erased_row_that_is_written_again_stays_erased(place: Place) -> None:
    store = place.open()
    store.write(call(), [kept(row())], ended=True)
    (digest,) = place.ask("SELECT digest FROM ledger_rows")
    place.now += DAY
    store.erase(0)
    (erased,) = rows_of(store.of_call("c1"))
    store.write(call(), [replace(erased, noticed=True)])
    assert place.ask("SELECT sealed FROM ledger_rows") == [None]
    assert place.ask("SELECT digest FROM ledger_rows") == [digest]


def test_a_new_key_seals_and_the_old_one_opens_until_nothing_needs_it(place: Place) -> None:
    old = place.open()
    old.write(call(), [kept(row())], ended=True)
    with pytest.raises(OperatorError, match="put back the key"):
        place.open(OTHER_KEY)
    both = place.open(OTHER_KEY, KEY)
    both.write(call("c2"), [row("r2", "c2")])
    assert rows_of(both.of_call("c1")) == (kept(row()),)
    with pytest.raises(OperatorError, match="put back the key"):
        place.open(OTHER_KEY)
    place.now += DAY
    assert both.erase(0) == 1
    assert rows_of(place.open(OTHER_KEY).of_call("c2")) == (row("r2", "c2"),)


def test_a_call_that_was_tampered_with_keeps_nobody_from_the_others(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    dead, heir = place.open(), place.open()
    for name in ("c1", "c2"):
        dead.write(call(name), [row(f"r-{name}", name)])
    place.ask("UPDATE ledger_rows SET sealed = 'AAAA' WHERE call = 'c1'")
    dead.close()
    assert names(heir.take_over()) == ["c2"]
    assert "call c1 in the ledger cannot be read" in caplog.text
    assert Verdict.OPEN in place.ask("SELECT verdict FROM ledger_rows WHERE call = 'c1'")
