"""What operators see, and how their orders reach the process that owns a row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentd.ledger.row import Fact, Kind, Verdict
from agentd.ledger.storage import incidents
from agentd.ledger.storage.incidents import Change, Order, Verb, Which
from agentd.ledger.storage.vault import HIDDEN
from tests.unit.ledger.keeping import Place, call, dropped, kept, names, row


@pytest.fixture
def kinds(place: Place) -> Place:
    """Five calls, each named for what is to be said of it."""
    store = place.open()
    for name, one in {
        "1-settled": kept(row("r1")),
        "2-open": row("r2"),
        "3-stuck": replace(row("r3"), fact=Fact.SENT, verdict=Verdict.DROP, stuck=True, error="no answer"),
        "4-owed": replace(row("r4"), kind=Kind.NOTICE, verdict=Verdict.KEEP),
        "5-kept": replace(row("r5"), fact=Fact.CONFIRMING, verdict=Verdict.KEEP),
    }.items():
        store.write(call(name), [replace(one, call=name)])
    return place


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (Which.ALL, ["1-settled", "2-open", "3-stuck", "4-owed", "5-kept"]),
        (Which.UNSETTLED, ["2-open", "3-stuck", "4-owed", "5-kept"]),
        (Which.OPEN, ["2-open"]),
        (Which.STUCK, ["3-stuck"]),
        (Which.OWED, ["4-owed"]),
    ],
)
def test_incidents_are_found_by_what_one_of_their_rows_is(kinds: Place, which: Which, found: list[str]) -> None:
    assert names(incidents.find(kinds.open(), which)) == found


def test_an_incident_shows_all_rows_of_its_call_in_their_order(place: Place) -> None:
    store = place.open()
    store.write(call(), [kept(row()), row("r3", seq=3), dropped(row("r2", seq=2))])
    (case,) = incidents.find(store, Which.OPEN)
    assert [one.id for one in case.rows] == ["r1", "r2", "r3"]
    assert incidents.of(store, "r2") == incidents.of(store, "c1") == case
    assert incidents.of(store, "nothing") is None


def test_the_newest_incidents_come_first_and_no_more_than_asked_for(kinds: Place) -> None:
    assert [case.call.id for case in incidents.find(kinds.open(), Which.ALL, limit=2)] == ["5-kept", "4-owed"]


def test_what_callers_gave_is_hidden_until_it_is_revealed_and_who_saw_it_is_on_record(kinds: Place) -> None:
    store = kinds.open()
    case = incidents.of(store, "r3")
    assert case is not None
    assert (case.rows[0].args, case.call.caller, case.rows[0].error) == (HIDDEN, HIDDEN, "no answer")
    assert kinds.ask("SELECT who FROM ledger_reveals") == []
    shown = incidents.reveal(store, "r3", "alice")
    assert shown is not None
    assert (shown.rows[0].args, shown.call.caller) == (row().args, call().caller)
    assert kinds.ask("SELECT who || ' saw ' || row FROM ledger_reveals") == ["alice saw r3"]
    assert incidents.reveal(store, "nothing", "alice") is None


def test_a_rows_history_is_all_that_changed_in_it(place: Place) -> None:
    store = place.open()
    store.write(call(), [row()])
    place.now += 1
    store.write(call(), [replace(row(), sends=1)])
    store.write(call(), [replace(row(), fact=Fact.SENT), row("r2", seq=2)])
    place.now += 1
    store.write(call(), [kept(row())])
    assert incidents.history(store, "r1") == [
        Change(1_000_000.0, "unsent", "open", "no", False, ""),
        Change(1_000_001.0, "sent", "open", "no", False, ""),
        Change(1_000_002.0, "confirmed", "keep", "told", False, "told"),
    ]


def test_an_order_reaches_the_rows_owner_once(place: Place) -> None:
    owner, operator, other = place.open(), place.open(), place.open()
    owner.write(call(), [row()])
    other.write(call("c2"), [row("r2", "c2")])
    incidents.order(operator, Order("r1", Verb.RESOLVE, "alice", "the office says so", has=True))
    incidents.order(operator, Order("r1", Verb.RETRY, "bob"))
    assert incidents.due(other) == []
    first, second = incidents.due(owner)
    assert (first.row, first.verb, first.who, first.why, first.has) == ("r1", "resolve", "alice", "the office says so", True)
    assert (second.verb, second.who, second.has) == (Verb.RETRY, "bob", False)
    incidents.carried_out(owner, first.number, "done")
    assert incidents.due(owner) == [second]
    assert [one.outcome for one in incidents.of_operators(operator, "r1")] == ["done", ""]


def test_an_order_waits_for_whoever_takes_over(place: Place) -> None:
    dead, heir = place.open(), place.open()
    dead.write(call(), [row()])
    incidents.order(heir, Order("r1", Verb.RETRY, "alice"))
    dead.close()
    assert incidents.due(heir) == []
    heir.take_over()
    assert [one.row for one in incidents.due(heir)] == ["r1"]


def test_whoever_only_looks_and_orders_owns_nothing(place: Place) -> None:
    operator = place.open()
    incidents.find(operator)
    incidents.order(operator, Order("r1", Verb.RETRY, "alice"))
    assert place.ask("SELECT count(*) FROM ledger_owners") == [0]


def test_a_census_counts_what_is_left_to_do_and_how_long_it_has_stood(kinds: Place) -> None:
    kinds.now += 60
    kinds.open().write(call("6-stuck"), [replace(row("r6", "6-stuck"), stuck=True)])
    kinds.now += 5
    assert incidents.census(kinds.open()) == incidents.Census(open=2, unsettled=5, stuck=2, stuck_s=65.0, owed=1, owed_s=65.0)


def test_a_census_of_nothing_is_nothing(place: Place) -> None:
    assert incidents.census(place.open()) == incidents.Census(0, 0, 0, 0.0, 0, 0.0)
