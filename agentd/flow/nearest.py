"""The name that was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, among: Iterable[str]) -> str:
    """ "did you mean 'x'?", or what there is."""
    known = sorted(set(among))
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"there is: {', '.join(known) or 'none'}."
