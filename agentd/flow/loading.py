"""A flow by its module's name or its file's path, checked whole: what cannot work is a FlowError that says how to mend it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from agentd.errors import FlowError
from agentd.flow import checks, declare, declaring, service, slots, tools
from agentd.flow.model import Flow
from agentd.flow.nearest import closest

_KEYWORD = re.compile(r"(?:(\w+)\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r"cannot import name '(\w+)' from 'agentd\.flow'")
_BARE = re.compile(r"(\w+)\(\) takes 0 positional arguments")
_VOCABULARY: dict[str, Any] = {
    "State": declare.State, "When": declare.When, "Answer": declare.Answer,
    "Flow": Flow, "slot": slots.slot, "read": tools.read,
    "compensable": declaring.compensable, "held": declaring.held, "deferred": declaring.deferred, "pivot": declaring.pivot,
    "Service": service.Service, "endpoint": service.Service.endpoint,
}  # fmt: skip


def load(name: str | Path) -> Flow:
    """The flow called `name`: `receptionist` for `flows.receptionist`, any module's name, a .py file here, or the path of one.

    Raises FlowError, with file, state and mend, for whatever is wrong with it.
    """
    return flow_of(module_of(name))


def module_of(name: str | Path) -> ModuleType:
    """The module that `load` finds under that name. Raises FlowError where it is not there, or fails to import."""
    text = str(name)
    return _from_file(Path(text)) if text.endswith(".py") or "/" in text else _from_name(text)


def flow_of(module: ModuleType) -> Flow:
    """The module's FLOW. Raises FlowError as `load`."""
    file = _short(module.__file__ or module.__name__)
    found = getattr(module, "FLOW", None)
    if not isinstance(found, Flow):
        raise FlowError(
            "it has no FLOW", where=file, mend='end it with FLOW = Flow("name", states=STATES, transitions=TRANSITIONS).'
        )
    flow = replace(found, file=file)
    checks.check(flow)
    return flow


def _from_name(name: str) -> ModuleType:
    for full in (f"flows.{name}", name):
        try:
            spec = importlib.util.find_spec(full)
        except (ModuleNotFoundError, ValueError):
            continue
        if spec is None or spec.origin is None:
            continue
        try:
            return importlib.import_module(full)
        except Exception as error:  # whatever the author's module raises is told to the author
            raise _broken(error, spec.origin) from error
    if (here := Path(f"{name}.py")).is_file():
        return _from_file(here)
    modules = pkgutil.iter_modules(importlib.import_module("flows").__path__)
    # Packages hold the flows' tools.
    shipped = [module.name for module in modules if not (module.ispkg or module.name.startswith("test_"))]
    raise FlowError(f"there is no flow {name!r}.", mend=f"{closest(name, shipped)} A path ends in .py.")


def _from_file(path: Path) -> ModuleType:
    """Run a file as a module of its own; modules beside it can be imported by it."""
    if not path.is_file():
        raise FlowError(
            "there is no such file", where=str(path), mend="check the path; it is read from where agentd was started."
        )
    path = path.resolve()
    name = f"flow_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FlowError("it is no Python file", where=str(path), mend="name a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks a model's module up by its name
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # as above
        del sys.modules[name]
        raise _broken(error, str(path)) from error
    return module


def _broken(error: Exception, file: str) -> FlowError:
    """What went wrong while the module ran, at the line of the author's file that it came from."""
    if isinstance(error, SyntaxError):
        return FlowError(f"{error.msg}", where=f"{_short(error.filename or file)}:{error.lineno}", mend="correct the line.")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f"{_short(file)}:{lines[-1]}" if lines else _short(file)
    if isinstance(error, FlowError):
        return FlowError(error.what, where=f"{where}: {error.where}" if error.where else where, mend=error.mend)
    keyword = _KEYWORD.search(str(error)) if isinstance(error, TypeError) else None
    if keyword:
        called = keyword[2] if keyword[2] in _VOCABULARY else keyword[1]
        if called in _VOCABULARY:
            known = [name for name in inspect.signature(_VOCABULARY[called]).parameters if name != "self" and name[0] != "_"]
            return FlowError(f"{called} has no {keyword[3]!r}", where=where, mend=closest(keyword[3], known))
    return FlowError(
        f"the module fails to import: {type(error).__name__}: {error}",
        where=where,
        mend=_mend(error),
    )


def _mend(error: Exception) -> str:
    """What was meant, where a word of the kit was misspelled, not imported, or written without its parentheses."""
    kit = importlib.import_module("agentd.flow").__all__
    if isinstance(error, NameError) and error.name in kit:
        return f"correct it: from agentd.flow import {error.name}."
    bare = _BARE.match(str(error)) if isinstance(error, TypeError) else None
    if bare and bare[1] in _VOCABULARY:
        return f'write @{bare[1]}(tell="…"), with its parentheses.'
    missing = _MISSING.match(str(error)) if isinstance(error, ImportError) else None
    return f"correct it; {closest(missing[1], kit)}" if missing else "correct it."


def _short(file: str) -> str:
    """A file's path from here, where it lies below."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
