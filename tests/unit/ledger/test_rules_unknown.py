"""The rules of the ledger where nobody knows what the world did (14), and where humans are asked."""

from __future__ import annotations

import itertools

import pytest

from agentd.ledger.events import (
    Answered,
    Ask,
    Clock,
    Done,
    Ended,
    Found,
    No,
    NotSent,
    Resolved,
    Retracted,
    Retried,
    Says,
    TakenBack,
    Unknown,
)
from agentd.ledger.row import Fact, Kind, Verdict
from agentd.ledger.rules import OUTBOX_TRIES, TRIES
from agentd.messages import Mode
from tests.unit.ledger.script import COMPENSABLE, DEFERRED, HELD, PIVOT, Call, effect

DO, CONFIRM, UNDO, ACT, STATUS = Ask.DO, Ask.CONFIRM, Ask.UNDO, Ask.ACT, Ask.STATUS
LOST = Unknown("no answer")

TRAITS = [
    dict(zip(("honours_key", "status", "tombstone", "stores_refusals"), bits, strict=True))
    for bits in itertools.product((False, True), repeat=4)
]
"""All that a remote may be capable of."""


def under_way(arrow: str, **traits: bool) -> Call:
    """A call with one row whose request is under way: do | confirm | undo | act | take back."""
    kind = {"confirm": HELD, "act": DEFERRED}.get(arrow, COMPENSABLE)
    call = Call(effect("a", kind, **traits))
    match arrow:
        case "confirm":
            call.done().kept("a")
        case "undo":
            call.done().take(Retracted("a"))
        case "act":
            call.kept("a")
        case "take back":
            call.done().kept("a").take(TakenBack("back", "use of back", "a"))
    return call


ASKED = {"do": DO, "confirm": CONFIRM, "undo": UNDO, "act": ACT, "take back": ACT}


def lost(arrow: str, **traits: bool) -> tuple[Call, str]:
    """The same with its outcome unknown, and the row's name."""
    name = "back" if arrow == "take back" else "a"
    return under_way(arrow, **traits).answered(name, ASKED[arrow], LOST), name


@pytest.mark.parametrize("arrow", ASKED)
@pytest.mark.parametrize("traits", TRAITS, ids=lambda traits: " ".join(name for name in traits if traits[name]) or "nothing")
def test_what_is_done_about_an_unknown_outcome(arrow: str, traits: dict[str, bool]) -> None:
    call, name = lost(arrow, **traits)
    if traits["honours_key"] or (arrow == "undo" and traits["tombstone"]):
        expected = [ASKED[arrow]]  # the same key again
    elif traits["status"]:
        expected = [STATUS]
    else:
        expected = []
    assert call[name].stuck is not bool(expected)
    before = call.sent(name)
    if expected:
        call.due(Clock.RETRY, name)
    assert call.sent(name) == before + expected


@pytest.mark.parametrize("arrow", ASKED)
def test_sent_again_it_may_be_done(arrow: str) -> None:
    call, name = lost(arrow, honours_key=True)
    call.due(Clock.RETRY, name).answered(name, ASKED[arrow])
    assert not call[name].in_flight
    assert call[name].tries == 0


@pytest.mark.parametrize("arrow", ["do", "confirm", "undo", "act", "take back"])
def test_a_definite_refusal_needs_one_request_or_a_remote_that_stores_refusals(arrow: str) -> None:
    for stores in (False, True):
        call, name = lost(arrow, honours_key=True, stores_refusals=stores)
        call.due(Clock.RETRY, name).answered(name, ASKED[arrow], No("no"))
        row = call[name]
        if stores:
            assert row.stuck if arrow == "undo" else row.fact is Fact.ABSENT
        else:
            assert row.in_flight
            assert not row.stuck


def test_retries_back_off_then_a_human_is_called() -> None:
    call, _ = lost("act", honours_key=True)
    for _ in range(TRIES - 1):
        call.due(Clock.RETRY, "a").answered("a", ACT, LOST)
    assert call["a"].stuck
    assert len(call.sent("a")) == TRIES
    waits = call.times(Clock.RETRY)
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] <= 30.0
    assert Clock.RETRY not in call.armed("a")


# ── What status says ─────────────────────────────────────────────────────────────────────────────────────────────────────


def found(arrow: str, answer: Found, **traits: bool) -> tuple[Call, str]:
    call, name = lost(arrow, status=True, **traits)
    return call.due(Clock.RETRY, name).answered(name, STATUS, answer), name


@pytest.mark.parametrize(
    ("arrow", "answer", "fact"),
    [
        ("do", Found.THERE, Fact.THERE),
        ("act", Found.THERE, Fact.THERE),
        ("confirm", Found.CONFIRMED, Fact.CONFIRMED),
        ("confirm", Found.ABSENT, Fact.ABSENT),
        ("undo", Found.ABSENT, Fact.ABSENT),
        ("take back", Found.THERE, Fact.THERE),
    ],
)
def test_what_status_says_is_final(arrow: str, answer: Found, fact: Fact) -> None:
    call, name = found(arrow, answer)
    assert call[name].fact is fact
    assert not call[name].stuck


@pytest.mark.parametrize(
    ("arrow", "answer"),
    [
        ("do", Found.ABSENT),
        ("act", Found.ABSENT),
        ("confirm", Found.THERE),
        ("undo", Found.THERE),
        ("take back", Found.ABSENT),
    ],
)
def test_what_may_still_arrive_is_not_final(arrow: str, answer: Found) -> None:
    call, name = found(arrow, answer)
    assert call[name].stuck


def test_what_was_kept_is_not_undone_to_know_where_it_is() -> None:
    call, _ = found("act", Found.ABSENT, tombstone=True)
    assert call["a"].stuck
    assert call.sent("a") == [ACT, STATUS]


def test_what_the_remote_said_stays_on_record() -> None:
    call, _ = lost("do", honours_key=True)
    assert call["a"].error == "no answer"
    assert call.dies()["a"].error == "no answer"


def test_not_found_is_final_after_an_undo_that_leaves_a_tombstone() -> None:
    call, _ = found("do", Found.ABSENT, tombstone=True)
    assert call.sent("a") == [DO, STATUS, UNDO]
    assert (call["a"].verdict, call["a"].fact) == (Verdict.DROP, Fact.UNDOING)
    call.answered("a", UNDO)
    assert call["a"].fact is Fact.ABSENT


def test_dropped_with_an_unknown_outcome_it_is_undone_under_its_tombstone() -> None:
    call, _ = lost("do", tombstone=True, honours_key=True)
    call.take(Retracted("a")).due(Clock.RETRY, "a")
    assert call.sent("a") == [DO, UNDO]


def test_dropped_with_an_unknown_outcome_it_is_first_known_and_then_undone() -> None:
    call, _ = lost("do", honours_key=True)
    call.take(Retracted("a")).due(Clock.RETRY, "a")
    assert call.sent("a") == [DO, DO]
    call.done()
    assert (call.sent("a"), call["a"].fact) == ([DO, DO, UNDO], Fact.ABSENT)


def test_a_hold_that_is_found_there_is_prepared_again_since_nobody_knows_its_time() -> None:
    call = Call(effect("a", HELD, status=True)).answered("a", DO, LOST).due(Clock.RETRY, "a").answered("a", STATUS, Found.THERE)
    assert call.sent("a.r") == [DO]
    assert call.owed == []


@pytest.mark.parametrize("answer", [LOST, NotSent("busy")])
def test_a_status_that_does_not_answer_is_asked_again_and_then_a_human(answer: Unknown | NotSent) -> None:
    call, _ = lost("act", status=True)
    for _ in range(TRIES - 1):
        assert not call["a"].stuck
        call.due(Clock.RETRY, "a").answered("a", STATUS, answer)
    assert call["a"].stuck
    assert call.sent("a") == [ACT] + [STATUS] * (TRIES - 1)


# ── What never left ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_acts_at_once_and_never_left_is_refused() -> None:
    call = Call(effect("a", COMPENSABLE)).answered("a", DO, NotSent("busy"))
    assert (call["a"].fact, call["a"].error) == (Fact.ABSENT, "busy")
    assert call.outcomes("a") == ["refused"]


@pytest.mark.parametrize("arrow", ["confirm", "undo", "act", "take back"])
def test_what_was_decided_and_never_left_is_sent_again_whatever_the_remote_can(arrow: str) -> None:
    name = "back" if arrow == "take back" else "a"
    call = under_way(arrow).answered(name, ASKED[arrow], NotSent("busy"))
    call.due(Clock.RETRY, name)
    assert call.sent(name)[-2:] == [ASKED[arrow]] * 2
    call.answered(name, ASKED[arrow], No("no"))
    assert call[name].stuck or call[name].fact is Fact.ABSENT, "and its refusal is definite, since one request left"


def test_what_never_left_so_often_waits_for_a_human_who_may_send_it() -> None:
    call = under_way("act")
    for _ in range(TRIES - 1):
        call.answered("a", ACT, NotSent("busy")).due(Clock.RETRY, "a")
    call.answered("a", ACT, NotSent("busy"))
    assert call["a"].stuck
    assert call.take(Retried("a")).sent("a") == [ACT] * (TRIES + 1)


def test_a_second_request_that_never_left_leaves_the_first_unknown() -> None:
    call, _ = lost("do", honours_key=True)
    call.due(Clock.RETRY, "a").answered("a", DO, NotSent("busy"))
    assert call["a"].fact is Fact.SENT
    assert call["a"].sends == 1
    assert Clock.RETRY in call.armed("a")


# ── Answers that mean nothing ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "call",
    [
        Call(effect("a", COMPENSABLE)).done(),
        Call(effect("a", COMPENSABLE)).answered("a", DO, LOST),
        Call(effect("a", COMPENSABLE)).done().take(Retracted("a")),
    ],
    ids=["answered already", "stuck", "being undone"],
)
def test_an_answer_that_nobody_waits_for_changes_nothing(call: Call) -> None:
    before = call.book
    call.take(Answered("a", DO, Done("{}")), Answered("nobody", DO, Done("{}")))
    assert call.book == before


# ── Humans ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arrow", ASKED)
def test_what_is_stuck_moves_for_nobody_but_a_human(arrow: str) -> None:
    call, name = lost(arrow)
    assert call[name].stuck
    sent = call.sent(name)
    call.take(Ended()).dies()
    assert call[name].stuck
    assert call.sent(name) == sent
    assert call.done().book.settled


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("arrow", ASKED)
def test_resolved_it_goes_on_from_what_is_so(arrow: str, has: bool) -> None:
    call, name = lost(arrow)
    call.take(Ended(), Resolved(name, has, "seen by a human"))
    expected = {
        "do": Fact.UNDOING if has else Fact.ABSENT,
        "confirm": Fact.CONFIRMED if has else Fact.ABSENT,
        "undo": Fact.UNDOING if has else Fact.ABSENT,
        "act": Fact.THERE if has else Fact.ABSENT,
        "take back": Fact.THERE if has else Fact.ABSENT,
    }
    assert call[name].fact is expected[arrow]
    assert not call[name].stuck


@pytest.mark.parametrize("event", [Resolved("a", has=True, why="it is there"), Retried("a")])
def test_a_dropped_row_never_becomes_kept(event: Resolved | Retried) -> None:
    call, _ = lost("undo")
    call.take(event)
    assert call["a"].dropped
    call.take(Ended()).done()
    assert call["a"].dropped


def test_what_cannot_be_tried_again_without_doing_it_twice_stays_stuck() -> None:
    call, _ = lost("act")
    call.take(Retried("a"))
    assert call["a"].stuck
    assert "resolve" in call["a"].error
    assert call.sent("a") == [ACT]


def test_a_refused_undo_can_be_tried_again() -> None:
    call = under_way("undo").answered("a", UNDO, No("closed"))
    assert call["a"].stuck
    call.take(Retried("a")).answered("a", UNDO)
    assert call["a"].settled


def test_what_is_not_stuck_is_not_mended() -> None:
    call = Call(effect("a", COMPENSABLE)).done()
    before = call.book
    assert call.take(Retried("a"), Resolved("a", has=False, why="")).book == before


def stuck_pivot() -> Call:
    call = Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",))).done("hold").tells("pay").says(Says.ASSENT)
    return call.answered("pay", ACT, LOST)


@pytest.mark.parametrize("has", [True, False])
def test_a_pivot_that_is_resolved_decides_its_needs(has: bool) -> None:
    call = stuck_pivot().take(Ended(), Resolved("pay", has, "seen at the bank")).done()
    assert call["hold"].verdict is (Verdict.KEEP if has else Verdict.DROP)
    assert call["hold"].settled
    assert not call["hold"].stuck


@pytest.mark.parametrize("event", [Retried("hold"), Resolved("hold", has=True, why="")])
def test_a_need_is_not_resolved_without_its_pivot(event: Retried | Resolved) -> None:
    call = stuck_pivot().take(event)
    assert call["hold"].stuck
    assert call["hold"].fact is Fact.THERE


def test_a_need_that_a_human_finds_gone_has_failed_once_its_pivot_is_there() -> None:
    call = stuck_pivot().take(Resolved("hold", has=False, why="expired"), Resolved("pay", has=True, why="paid"))
    assert call["hold"].failed
    assert ("hold", Mode.UNTELL) in call.owed


def test_what_waits_for_what_is_stuck_waits_for_the_same_human() -> None:
    call = Call(effect("a", HELD), effect("text", DEFERRED, needs=("a",))).done().kept("a").kept("text")
    call.answered("a", CONFIRM, LOST)
    assert call["a"].stuck
    assert call.book.settled
    call.take(Ended()).done()
    assert call.book.settled
    call.take(Resolved("a", has=True, why="confirmed"))
    assert call.sent("text") == [ACT]


def test_a_notice_is_tried_again_and_then_a_human() -> None:
    call = Call(effect("a", DEFERRED, on_doubt="drop"))
    call.begins("a")
    call.take(Ended())
    for _ in range(OUTBOX_TRIES - 1):
        call.answered("a.notice", ACT, LOST).due(Clock.RETRY, "a.notice")
    call.answered("a.notice", ACT, LOST)
    assert call["a.notice"].stuck
    assert [row.kind for row in call.book.rows] == [DEFERRED, Kind.NOTICE]
