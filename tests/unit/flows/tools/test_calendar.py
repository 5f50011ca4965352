from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from agentd.errors import ToolGone, ToolRefused
from agentd.flow import Context, Moment
from flows.receptionist import OPENING
from flows.tools.calendar import HOLD, Calendar

NOW = datetime(2026, 11, 20, 11, 0)
TEN = Moment.read("2026-11-24T10:00")


@pytest.fixture
def calendar(tmp_path: Path) -> Calendar:
    return Calendar(OPENING, tmp_path / "calendar.sqlite")


def of(key: str, at: datetime = NOW, caller: str = "+15550142") -> Context:
    """The context of the request that began what stands under `key`, or of a later one about it."""
    return Context(at, key=key, effect=key, call_from=caller)


def offered(calendar: Calendar, wanted: str = "2026-11-24T10:00") -> list[str]:
    return [str(moment) for moment in calendar.free_times(of(""), Moment.read(wanted))]


def test_it_is_the_same_for_everyone_and_holds_only_opening_hours(calendar: Calendar, tmp_path: Path) -> None:
    free = calendar.free(NOW)
    assert free == Calendar(OPENING, tmp_path / "two.sqlite").free(NOW) == calendar.free(NOW)
    assert datetime(2026, 11, 24, 10) in free
    assert all(NOW < start < NOW + timedelta(15) for start in free)
    assert all(OPENING[start.weekday()][0] <= start.time() < OPENING[start.weekday()][1] for start in free)
    assert all(start.time() != time(13) or start.weekday() != 5 for start in free)


def test_a_day_has_up_to_three_times_the_nearest_to_the_one_that_is_wanted(calendar: Calendar) -> None:
    assert offered(calendar, "2026-11-24") == ["2026-11-24T08:00", "2026-11-24T09:30", "2026-11-24T10:00"]
    assert offered(calendar, "2026-11-24T10:00") == ["2026-11-24T10:00"]
    assert offered(calendar, "2026-11-24T10:30") == ["2026-11-24T09:30", "2026-11-24T10:00", "2026-11-24T11:00"]
    assert offered(calendar, "2026-11-22") == []


def test_a_hold_takes_the_time_until_it_is_let_go(calendar: Calendar) -> None:
    held = calendar.book(of("a"), TEN, "Ann")
    assert held.expires == NOW + HOLD
    assert offered(calendar) != ["2026-11-24T10:00"]
    with pytest.raises(ToolRefused, match="taken"):
        calendar.book(of("b"), TEN, "Bob")
    calendar.cancel(of("a"))
    assert offered(calendar) == ["2026-11-24T10:00"]
    assert calendar.entries() == []


def test_a_hold_that_is_confirmed_stays_and_one_that_is_not_ends(calendar: Calendar) -> None:
    calendar.book(of("a"), TEN, "Ann")
    calendar.book(of("b"), Moment.read("2026-11-25T10:00"), "Bob")
    calendar.confirm(of("a"))
    late = NOW + HOLD
    assert [calendar.status(of(key, late)) for key in ("a", "b", "c")] == ["confirmed", "absent", "absent"]
    with pytest.raises(ToolGone):
        calendar.confirm(of("b", late))
    assert calendar.entries() == [("booked", "appointment", "2026-11-24T10:00", "Ann")]


def test_the_same_key_gets_the_same_answer(calendar: Calendar) -> None:
    first = calendar.book(of("a"), TEN, "Ann")
    assert calendar.book(of("a", NOW + timedelta(seconds=9)), TEN, "Ann") == first
    with pytest.raises(ToolRefused):
        calendar.book(of("b"), TEN, "Bob")
    calendar.cancel(of("a"))
    with pytest.raises(ToolRefused):
        calendar.book(of("b"), TEN, "Bob")
    calendar.book(of("c"), TEN, "Cy")
    for _ in range(2):
        calendar.confirm(of("c"))
        calendar.text(of("t"), TEN)
        calendar.charge(of("d"))
    assert [entry[:2] for entry in calendar.entries()] == [
        ("done", "deposit"), ("booked", "appointment"), ("done", "text"),
    ]  # fmt: skip


def test_a_request_that_comes_after_its_own_undo_is_refused(calendar: Calendar) -> None:
    calendar.cancel(of("a"))
    with pytest.raises(ToolRefused, match="let go"):
        calendar.book(of("a"), TEN, "Ann")
    assert calendar.entries() == []


def test_an_appointment_can_be_undone(calendar: Calendar) -> None:
    calendar.book(of("a"), TEN, "Ann")
    calendar.confirm(of("a"))
    calendar.undo(of("a"))
    assert calendar.status(of("a")) == "absent"
    assert offered(calendar) == ["2026-11-24T10:00"]


@pytest.mark.parametrize("when", ["2026-11-24T10:10", "2026-11-22T10:00", "2026-12-24T10:00", "2026-11-24", "2026-11-19T10:00"])
def test_what_is_no_free_appointment_is_refused(calendar: Calendar, when: str) -> None:
    with pytest.raises(ToolRefused):
        calendar.book(of("a"), Moment.read(when), "Ann")


def test_nobody_is_texted_or_charged_whose_number_is_withheld(calendar: Calendar) -> None:
    with pytest.raises(ToolRefused):
        calendar.text(of("t", caller=""), TEN)
    with pytest.raises(ToolRefused):
        calendar.charge(of("d", caller=""))
    assert calendar.entries() == []
