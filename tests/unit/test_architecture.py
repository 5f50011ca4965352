"""The laws of the source itself: who imports whom, who may start tasks, who may catch everything, how long a file may be.

Each law is a function from one module's source to what breaks it, so that it can be tried on a line that does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agentd", "flows", "telemetry")

CHAIN: tuple[tuple[str, ...], ...] = (
    ("agentd.errors", "agentd.limits"),
    ("agentd.settings", "agentd.offload", "agentd.messages"),
    ("agentd.turn",),
    ("agentd.audio", "agentd.carriers.media"),
    ("agentd.carriers.*.layout",),
    ("agentd.carriers.*.media",),
    ("agentd.ledger",),
    ("agentd.flow",),
    ("agentd.providers", "agentd.handoff"),
    ("agentd.supervision",),
    ("agentd.actors",),
    ("agentd.folder",),
    ("agentd.call",),
    ("agentd.carriers", "agentd.http"),
    ("agentd.desk", "agentd.records", "agentd.extensions", "agentd.janitor", "agentd.outbox"),
    ("agentd.daemon",),
    ("agentd.demo", "agentd.trace", "agentd.testing"),
    ("agentd.chat",),
    ("agentd.cli",),
    ("agentd.__main__",),
)
"""A room may import those of the rows above its own, and itself; rooms of one row do not know one another. `agentd.audio`
stands below `agentd.turn` for the endpointing, which asks `turn.words` whether words look complete."""

NEVER = (
    ("agentd.flow", "agentd.carriers", "a flow never knows a carrier"),
    ("agentd.providers", "agentd.carriers", "an engine never knows a carrier"),
    ("agentd.handoff", "agentd.carriers", "what is handed over does not depend on who carries it"),
)
"""What the chain would allow and the design does not."""

ONLY_FOR = {
    "agentd.folder": ("agentd.call", "agentd.records", "agentd.daemon", "agentd.cli", "agentd.demo", "agentd.trace"),
    "agentd.records": ("agentd.call", "agentd.records", "agentd.daemon", "agentd.cli", "agentd.demo", "agentd.trace"),
    "agentd.simulate": ("agentd.cli", "agentd.demo"),
    "telemetry": ("agentd.call", "agentd.records", "agentd.daemon", "agentd.cli", "agentd.demo", "agentd.trace"),
    "flows": (),
}
"""Rooms with few readers."""

MAY_IMPORT = {
    "agentd.simulate": (),
    "telemetry": ("agentd.messages",),
    "flows": ("agentd.flow", "agentd.errors"),
    "flows.test_*": ("agentd.flow", "agentd.testing", "flows"),
}
"""Rooms outside the chain: all that they may import of ours, apart from themselves."""

STARTS_TASKS = ("agentd/supervision.py", "agentd/actors/kit.py", "agentd/simulate/")

CATCHES_ALL = {
    "agentd/http/server.py": (1, "a connection: one request's bug must not stop the listener"),
    "agentd/supervision.py": (1, "an actor: whatever breaks in one is that actor's failure"),
    "agentd/actors/toolrunner.py": (1, "a tool: its author's bug is told as a failed tool"),
    "agentd/call.py": (1, "a call: it dies alone"),
    "telemetry/export.py": (1, "a trace: telemetry's own bug is a count, never the end of a call"),
    "agentd/flow/hands.py": (1, "a tool's request: what its author's bug left behind is not known, and is told so"),
    "agentd/outbox.py": (1, "a notice's words: their author's bug must not end who settles all calls"),
    "agentd/flow/loading.py": (2, "a flow's file: whatever it raises at load is told to its author"),
}
"""Where `except Exception` may stand, how often, and what is contained there."""

LONGEST = 450
LONGER = {
    "agentd/messages.py": (800, "all messages on one page"),
    "agentd/ledger/rules.py": (650, "all rules on one page, as the specification has them"),
}

FORBIDDEN_MODULES = {
    "asyncio": "trio only",
    "pickle": "runs what it reads",
    "marshal": "runs what it reads",
    "shelve": "runs what it reads",
    "dill": "runs what it reads",
    "cloudpickle": "runs what it reads",
    "yaml": "runs what it reads, where loaded carelessly",
}


@dataclass(frozen=True)
class Source:
    """One module: `path` from the repository's root, `text` as it stands."""

    path: str
    text: str

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)


SOURCES = [
    Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
]


# ── Imports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_in(module: str, room: str) -> bool:
    """Whether `module` is the room or in it; a * of `room` stands for one name."""
    return re.match(re.escape(room).replace(r"\*", r"[^.]+") + r"(\.|$)", module) is not None


def row(module: str) -> int | None:
    """The row of the chain in which `module` stands: that of the longest room's name that fits."""
    fits = [
        (room.count("."), room.count("*") == 0, number)
        for number, rooms in enumerate(CHAIN)
        for room in rooms
        if is_in(module, room)
    ]
    return max(fits)[2] if fits else None


def room(module: str) -> str:
    fits = [name for rooms in (*CHAIN, tuple(MAY_IMPORT)) for name in rooms if is_in(module, name)]
    return max(fits, key=lambda name: (name.count("."), name.count("*") == 0), default=module)


def imports(source: Source) -> Iterator[str]:
    """Every module that is imported anywhere in the source; `from a import b` is a.b where that is a module of ours."""
    known = {other.module for other in SOURCES}
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=None) | ast.ImportFrom(level=1 | 2 | 3 | 4):
                yield "(relative)"
            case ast.ImportFrom(module=str(module), names=names):
                for name in names:
                    whole = f"{module}.{name.name}"
                    yield whole if whole in known or module in PACKAGES else module


def ours(module: str) -> bool:
    return module.split(".")[0] in PACKAGES


def against_the_import_law(source: Source) -> Iterator[str]:
    here = room(source.module)
    if here in MAY_IMPORT:
        allowed = (here, *MAY_IMPORT[here])
        yield from (f"imports {name}" for name in imports(source) if ours(name) and not any(is_in(name, a) for a in allowed))
        return
    stands = row(source.module)
    if stands is None:
        if source.module not in PACKAGES:
            yield "has no place in the chain: give it one in this test"
        return
    for name in filter(ours, imports(source)):
        there, other = room(name), row(name)
        if there == here:
            continue
        if there in ONLY_FOR:
            if not any(is_in(source.module, reader) for reader in ONLY_FOR[there]):
                yield f"imports {name}, which is for {', '.join(ONLY_FOR[there]) or 'nobody'}"
        elif other is None or other >= stands:
            yield f"imports {name}, which stands no lower than {here}"
    for low, high, why in NEVER:
        yield from (f"imports {name}: {why}" for name in imports(source) if is_in(source.module, low) and is_in(name, high))


def relative_imports(source: Source) -> Iterator[str]:
    yield from ("imports relatively: say the whole name" for name in imports(source) if name == "(relative)")


def forbidden_modules(source: Source) -> Iterator[str]:
    for name in imports(source):
        if why := FORBIDDEN_MODULES.get(name.split(".")[0]):
            yield f"imports {name}: {why}"


# ── Calls and handlers ───────────────────────────────────────────────────────────────────────────────────────────────


def called(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
            yield node, ast.unparse(function)


def evaluated_text(source: Source) -> Iterator[str]:
    for node, name in called(source.tree):
        if name in {"eval", "exec", "__import__", "builtins.eval", "builtins.exec"}:
            yield f"line {node.lineno} calls {name}"


def started_tasks(source: Source) -> Iterator[str]:
    if source.path.startswith(STARTS_TASKS):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"start_soon", "spawn_system_task"}:
            yield f"line {node.lineno} starts a task: only the supervisor and the actor kit do"
        if isinstance(node, ast.Attribute) and node.attr == "start" and "nursery" in ast.unparse(node.value):
            yield f"line {node.lineno} starts a task: only the supervisor and the actor kit do"


def unbounded_channels(source: Source) -> Iterator[str]:
    for node, name in called(source.tree):
        size = ", ".join(ast.unparse(arg) for arg in [*node.args, *(keyword.value for keyword in node.keywords)])
        if name.split(".")[-1] == "open_memory_channel" and re.search(r"\binf\b|\bNone\b", size):
            yield f"line {node.lineno} opens a channel without bound"


def catch_alls(source: Source) -> Iterator[str]:
    names = {"Exception", "BaseException"}
    found: list[int] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)} if node.type else names
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
            caught = {ast.unparse(arg) for arg in node.args}
        else:
            continue
        if caught & names:
            found.append(node.lineno)
    allowed = CATCHES_ALL.get(source.path, (0, ""))[0]
    if len(found) > allowed:
        yield f"catches everything in lines {', '.join(map(str, found))}; {allowed} may"


# ── Text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def long_files(source: Source) -> Iterator[str]:
    lines, most = len(source.text.splitlines()), LONGER.get(source.path, (LONGEST, ""))[0]
    if lines > most:
        yield f"has {lines} lines, {most} are the most: two ideas live in it"


def unfinished_work(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield f"line {number} is unfinished"


LAWS: tuple[Callable[[Source], Iterator[str]], ...] = (
    against_the_import_law,
    relative_imports,
    forbidden_modules,
    evaluated_text,
    started_tasks,
    unbounded_channels,
    catch_alls,
    long_files,
    unfinished_work,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_source_keeps_the_law(law: Callable[[Source], Iterator[str]]) -> None:
    broken = [f"{source.path} {what}" for source in SOURCES for what in law(source)]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("law", "path", "text"),
    [
        (against_the_import_law, "agentd/limits.py", "import agentd.messages"),
        (against_the_import_law, "agentd/messages.py", "from agentd import settings"),
        (against_the_import_law, "agentd/audio/ring.py", "from agentd.carriers.media import Key"),
        (against_the_import_law, "agentd/turn/machine.py", "from agentd.ledger import rules"),
        (against_the_import_law, "agentd/flow/model.py", "from agentd.providers.base import Voice"),
        (against_the_import_law, "agentd/flow/model.py", "def f():\n    import agentd.carriers.sautikit.media"),
        (against_the_import_law, "agentd/flow/model.py", "from agentd.carriers.media import Key"),
        (against_the_import_law, "agentd/providers/base.py", "from agentd.handoff import x"),
        (against_the_import_law, "agentd/carriers/sautikit/media.py", "import agentd.carriers.sautikit.control"),
        (against_the_import_law, "agentd/carriers/sautikit/media.py", "from agentd.actors.kit import Mailbox"),
        (against_the_import_law, "agentd/actors/kit.py", "from agentd.call import Call"),
        (against_the_import_law, "agentd/actors/kit.py", "from agentd.folder import CallFolder"),
        (against_the_import_law, "agentd/actors/kit.py", "import telemetry"),
        (against_the_import_law, "agentd/http/server.py", "from agentd.folder import CallFolder"),
        (against_the_import_law, "agentd/daemon.py", "from agentd.cli import main"),
        (against_the_import_law, "agentd/daemon.py", "from agentd.simulate import switch"),
        (against_the_import_law, "agentd/call.py", "import flows.receptionist"),
        (against_the_import_law, "agentd/simulate/media.py", "from agentd import limits"),
        (against_the_import_law, "telemetry/spans.py", "from agentd.turn import machine"),
        (against_the_import_law, "flows/receptionist.py", "from agentd import settings"),
        (against_the_import_law, "flows/receptionist.py", "from agentd.testing import beside"),
        (against_the_import_law, "agentd/daemon.py", "from agentd.testing import Conversation"),
        (against_the_import_law, "agentd/misc.py", ""),
        (relative_imports, "agentd/call.py", "from . import limits"),
        (relative_imports, "agentd/call.py", "from .limits import CALL_S"),
        (forbidden_modules, "agentd/call.py", "import asyncio.queues"),
        (forbidden_modules, "agentd/call.py", "from pickle import loads"),
        (evaluated_text, "agentd/call.py", "eval('1')"),
        (started_tasks, "agentd/call.py", "nursery.start_soon(f)"),
        (started_tasks, "agentd/call.py", "spawn = self._nursery.start_soon"),
        (started_tasks, "agentd/call.py", "await nursery.start(f)"),
        (unbounded_channels, "agentd/call.py", "trio.open_memory_channel(math.inf)"),
        (unbounded_channels, "agentd/call.py", "open_memory_channel[int](max_buffer_size=float('inf'))"),
        (catch_alls, "agentd/folder.py", "try: pass\nexcept Exception: pass"),
        (catch_alls, "agentd/folder.py", "try: pass\nexcept (OSError, BaseException): pass"),
        (catch_alls, "agentd/folder.py", "try: pass\nexcept: pass"),
        (catch_alls, "agentd/folder.py", "try: pass\nexcept* Exception: pass"),
        (catch_alls, "agentd/folder.py", "with suppress(Exception): pass"),
        (catch_alls, "agentd/call.py", "try: pass\nexcept Exception: pass\ntry: pass\nexcept Exception: pass"),
        (long_files, "agentd/call.py", "\n" * 451),
        (unfinished_work, "agentd/call.py", "# TO" + "DO: later"),
    ],
)  # fmt: skip
def test_what_breaks_a_law_is_found(law: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(law(Source(path, text)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("agentd/call.py", "import telemetry.spans\nfrom agentd.folder import CallFolder\nfrom agentd.actors import kit"),
        ("agentd/call.py", "try: pass\nexcept Exception: pass"),
        ("agentd/carriers/acme/media.py", "from agentd.carriers.media import Key\nfrom agentd import limits"),
        ("agentd/carriers/acme/control.py", "from agentd.carriers.acme.media import x\nfrom agentd.call import Call"),
        ("agentd/actors/transport.py", "from agentd.carriers.media import Key\nfrom agentd.supervision import ChildSpec"),
        ("agentd/demo.py", "from agentd.simulate import switch\nimport agentd.daemon"),
        ("agentd/simulate/media.py", "from agentd.simulate import line\nnursery.start_soon(f)"),
        ("telemetry/spans.py", "from agentd.messages import Frame\nfrom telemetry import names"),
        ("flows/booking.py", "from agentd.flow import State\nfrom flows import receptionist"),
        ("flows/test_booking.py", "from agentd.testing import beside\nfrom flows import receptionist"),
        ("agentd/testing/rig.py", "from agentd.janitor import Janitor\nfrom agentd.call import Call"),
        ("agentd/chat.py", "from agentd.testing import Conversation"),
        ("agentd/call.py", "trio.open_memory_channel(limits.MAILBOX)\ntimer.start()"),
    ],
)
def test_what_keeps_the_laws_passes(path: str, text: str) -> None:
    assert [what for law in LAWS for what in law(Source(path, text))] == []


def test_every_exemption_has_its_reason() -> None:
    assert all(why for _, why in (*CATCHES_ALL.values(), *LONGER.values()))
    assert SOURCES
