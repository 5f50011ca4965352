"""What may go wrong in a simulated call, each a sentence for the person who placed it."""

from __future__ import annotations


class SimulationError(Exception):
    """Base of all; never raised itself."""


class ScenarioError(SimulationError):
    """A scenario file cannot be followed: where it is wrong, what is wrong and how to mend it."""

    def __init__(self, where: str, what: str, mend: str) -> None:
        super().__init__(f"{where}: {what}. Mend: {mend}")
        self.where, self.what, self.mend = where, what, mend


class Refused(SimulationError):
    """The daemon would not take the call, and said so in a way that a switch understands."""


class Broke(SimulationError):
    """The daemon said something that no switch understands, or nothing at all."""
