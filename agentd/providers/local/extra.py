"""Loads what the extra `local` brings, when an engine is made and not before: the base install works without it."""

from __future__ import annotations

import importlib
from typing import Any

from agentd.errors import OperatorError


def load(module: str) -> Any:
    """Import `module`; raises OperatorError, with the command to run, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"the embedded engines need {error.name}, which is not installed", mend="pip install 'agentd[local]'"
        ) from error
