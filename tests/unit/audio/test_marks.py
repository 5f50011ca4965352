"""Marks: one answer each, and a deadline."""

from __future__ import annotations

import pytest

from agentd.audio.marks import MARK_S, Fate, Marks


@pytest.mark.parametrize(("cleared", "fate"), [(False, Fate.PLAYED), (True, Fate.CLEARED)])
def test_the_first_answer_counts_and_nothing_that_comes_after_it(cleared: bool, fate: Fate) -> None:
    marks = Marks()
    mark = marks.place("1.0.0.0", 5.0)
    assert mark.fate(5.0) is Fate.OUTSTANDING
    marks.take("1.0.0.0", cleared=cleared)
    marks.take("1.0.0.0", cleared=not cleared)
    assert mark.fate(5.0 + 2 * MARK_S) is fate


def test_a_mark_without_an_answer_is_lost_at_its_deadline() -> None:
    mark = Marks().place("1.0.0.0", 5.0)
    assert mark.fate(5.0 + MARK_S - 0.001) is Fate.OUTSTANDING
    assert mark.fate(5.0 + MARK_S) is Fate.LOST


def test_an_answer_to_a_mark_that_we_did_not_send_says_nothing() -> None:
    marks = Marks()
    mark = marks.place("1.0.0.1", 5.0)
    marks.take("1.0.0.0", cleared=False)
    assert mark.fate(5.0) is Fate.OUTSTANDING
