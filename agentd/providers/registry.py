"""From an engine's name in the settings to the engine.

A name is a module of `agentd.providers` that offers a function named after the stage: `recognizer(offload, calls)`,
`voice(offload)`, `vad(calls)` or `thinker(flow)`. One's own engine is named `package.module:function`, with the same arguments.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal, cast

from agentd.errors import SettingsError
from agentd.flow.model import Flow
from agentd.offload import Offload
from agentd.providers.base import Recognizer, Thinker, Voice, VoiceActivityFactory

Stage = Literal["recognizer", "voice", "vad", "thinker"]


def recognizer(name: str, offload: Offload, calls: int) -> Recognizer:
    """The recognizer for at most `calls` calls at once. Raises OperatorError where there is none of that name."""
    made = _factory("recognizer", name)(offload, calls)
    if not isinstance(getattr(made, "remote", None), bool):
        raise SettingsError(
            f"the recognizer {name!r} does not say whether it is remote.",
            where="engines.recognizer",
            mend="write `remote = False` into its class where it runs in this process, else True.",
        )
    return cast("Recognizer", made)


def voice(name: str, offload: Offload) -> Voice:
    """The voice. Raises OperatorError where there is none of that name."""
    return cast("Voice", _factory("voice", name)(offload))


def vad(name: str, calls: int) -> VoiceActivityFactory:
    """What makes a voice activity detector for each call. Raises OperatorError where there is none of that name."""
    return cast("VoiceActivityFactory", _factory("vad", name)(calls))


def thinker(name: str, flow: Flow) -> Thinker:
    """The thinker for a flow. Raises OperatorError where there is none of that name."""
    return cast("Thinker", _factory("thinker", name)(flow))


def _factory(stage: Stage, name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    path, wanted = (module, function) if function else (f"agentd.providers.{name}", stage)
    try:
        found = getattr(importlib.import_module(path), wanted, None)
    except (ImportError, SyntaxError) as error:
        raise SettingsError(
            f"the {stage} {name!r} cannot be loaded ({error}).",
            where=f"engines.{stage}",
            mend="name a module of agentd.providers, or package.module:function.",
        ) from error
    if not callable(found):
        raise SettingsError(
            f"{path} offers no function {wanted}.",
            where=f"engines.{stage}",
            mend=f"name an engine that has a function {wanted}().",
        )
    return cast("Callable[..., Any]", found)
