"""What the machine answers to a proposal that the flow does not allow."""

from __future__ import annotations


class Refused(Exception):
    """The flow stays as it was. `why` is one sentence; `spoken` where it was written for the caller's ears."""

    def __init__(self, why: str, *, spoken: bool = False) -> None:
        super().__init__(why)
        self.why, self.spoken = why, spoken
