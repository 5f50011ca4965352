"""Killed before and after every write, request and mark, and again while recovering: each row is settled as the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.points import Site, check
from tests.crash.stories import STORIES, Story, flow


def site(folder: Path) -> Site:
    folder.mkdir()
    return Site(folder, flow)


QUICK = {"told", "revised"}
EACH = [pytest.param(story, id=story.name, marks=[] if story.name in QUICK else [pytest.mark.slow]) for story in STORIES]


@pytest.mark.parametrize("story", EACH)
def test_a_call_killed_at_any_step_is_settled(story: Story, tmp_path: Path) -> None:
    """Step by step until none is left."""
    at, whole = 0, False
    while not whole:
        at += 1
        here = site(tmp_path / str(at))
        whole = here.call(story.acts, story.script(), at)
        assert here.recover(0)
        check(here.rows(), here.world)
    assert at > 8, "a call has more steps than that"
    print(f"{story.name}: {at - 1} steps")


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_whoever_recovers_may_be_killed_too(story: Story, tmp_path: Path) -> None:
    """At each of its own steps, and then again at the first of the next one's."""
    at, whole, tried = 0, False, 0
    while not whole:
        at += 1 if story.name == "told" else 7  # what one crash leaves is much what the one before it leaves
        again, done = 0, False
        while not done:
            again += 1
            here = site(tmp_path / f"{at}-{again}")
            whole = here.call(story.acts, story.script(), at)
            done = here.recover(again)
            tried += 1
            if not done:
                here.recover(1)
            assert here.recover(0)
            check(here.rows(), here.world)
    print(f"{story.name}: {tried} crashes while recovering")
