"""A scenario: what the caller does, step by step, read from a small TOML file.

    from = "+254700000001"              # who calls, and whom: both have defaults
    to = "+254200000001"
    leg_rate = 8000                     # of the caller's phone: 8000 (default) or 16000
    dialect = "sautikit"                # or "jambonz": marks, killAudio, keys
    subprotocol = "audio.drachtio.org"  # or "audio.jambonz.org"
    channels = "mono"                   # or "stereo", "mixed"; without it, what the stream's track asks for
    dial = "completed"                  # what becomes of a <Dial>; or "no-answer", "busy", "failed": nobody takes it
    noise = { kind = "babble", db = 15 }  # white | babble | music | file (with file = "….wav"), db below the speech

    steps = [
        { wait = { quiet_ms = 700, timeout = 15 } },  # until the agent has spoken, and then been quiet for so long
        { say = "what-are-your-opening-hours.wav" },
        { barge_in = { file = "stop.wav", after_ms = 900 } },  # so long into the agent's next or current speech
        { cough = { after_ms = 800 } },         # or uh_huh: the same, with the file at hand
        { silence = 7 },                        # seconds
        { key = "5" },
        { hangup = true },                      # without it the caller stays until the agent ends the call
    ]

Files are looked for beside the scenario and then among the shipped utterances.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentd.simulate.errors import ScenarioError

SCENARIOS = Path(__file__).parent / "scenarios"
UTTERANCES = Path(__file__).parent / "utterances"

CALLER, CALLEE = "+254700000001", "+254200000001"


@dataclass(frozen=True, slots=True)
class Wait:
    """Until the agent has spoken since the caller last did, and has been quiet for `quiet` seconds; at most `timeout`."""

    quiet: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a file."""

    file: Path


@dataclass(frozen=True, slots=True)
class Interject:
    """Speak a file `after` seconds into the agent's next or current speech. `kind`: barge_in | cough | uh_huh."""

    kind: str
    file: Path
    after: float


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Key:
    """Press a key: 0–9 * # A–D."""

    digit: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


Step = Wait | Say | Interject | Silence | Key | HangUp


@dataclass(frozen=True, slots=True)
class Noise:
    """What else the microphone hears, `db` below the speech."""

    kind: str
    db: float
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A caller's script and the line that it calls on."""

    name: str
    steps: tuple[Step, ...]
    caller: str = CALLER
    callee: str = CALLEE
    leg_rate: int = 8000
    dialect: str = "sautikit"
    subprotocol: str = "audio.drachtio.org"
    channels: str | None = None
    noise: Noise | None = None
    dial: str = "completed"


def shipped() -> list[str]:
    """The names of the scenarios that come with agentd."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a shipped scenario by its name, or a file by its path; raises ScenarioError."""
    path = Path(name)
    if not path.suffix and name in shipped():
        path = SCENARIOS / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.stem, shipped(), 1)
        mend = f"did you mean {near[0]!r}?" if near else f"name one of {', '.join(shipped())}, or a TOML file"
        raise ScenarioError(name, "no such scenario", mend) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ScenarioError(name, f"the scenario cannot be read ({why})", "name a TOML file") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(str(path), f"not TOML: {error}", "correct that line") from None
    return _Reader(path).scenario(table)


class _Reader:
    """Turns one file's tables into a scenario; every complaint names file and key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def scenario(self, table: Mapping[str, Any]) -> Scenario:
        known = ("from", "to", "leg_rate", "dialect", "subprotocol", "channels", "noise", "dial", "steps")
        self._known(table, "", known)
        steps = self._steps(table.get("steps"))
        dialect = self._choice(table, "dialect", ("sautikit", "jambonz"))
        if dialect == "sautikit" and any(isinstance(step, Key) for step in steps):
            raise self._wrong("steps", "a key is pressed, and the sautikit dialect carries none", 'write dialect = "jambonz"')
        return Scenario(
            name=self._path.stem,
            steps=steps,
            caller=self._text(table, "from", CALLER),
            callee=self._text(table, "to", CALLEE),
            leg_rate=int(self._choice(table, "leg_rate", (8000, 16000))),
            dialect=str(dialect),
            subprotocol=str(self._choice(table, "subprotocol", ("audio.drachtio.org", "audio.jambonz.org"))),
            channels=str(self._choice(table, "channels", ("mono", "stereo", "mixed"))) if "channels" in table else None,
            noise=self._noise(table["noise"]) if "noise" in table else None,
            dial=str(self._choice(table, "dial", ("completed", "no-answer", "busy", "failed"))),
        )

    def _steps(self, value: Any) -> tuple[Step, ...]:
        if not isinstance(value, list) or not value:
            raise self._wrong("steps", "missing or empty", 'write steps = [ { say = "hello.wav" }, … ]')
        return tuple(self._step(f"steps[{number}]", step) for number, step in enumerate(value, 1))

    def _step(self, where: str, step: Any) -> Step:
        if not isinstance(step, dict) or len(step) != 1:
            raise self._wrong(where, "not one action", 'write one action a step, as { say = "hello.wav" }')
        (action, value), *_ = step.items()
        self._known(step, where, ("wait", "say", "barge_in", "cough", "uh_huh", "silence", "key", "hangup"))
        where = f"{where}.{action}"
        match action:
            case "wait":
                table = self._table(where, value, ("quiet_ms", "timeout"))
                quiet = self._number(where, table, "quiet_ms", 700) / 1000
                return Wait(quiet, self._number(where, table, "timeout", 15))
            case "say":
                return Say(self._wav(where, value))
            case "barge_in":
                table = self._table(where, value, ("file", "after_ms"))
                return Interject(action, self._wav(f"{where}.file", table.get("file")), self._after(where, table))
            case "cough" | "uh_huh":
                table = self._table(where, value, ("after_ms",))
                return Interject(action, self._wav(where, f"{action.replace('_', '-')}.wav"), self._after(where, table))
            case "silence":
                return Silence(self._number(where, {"silence": value}, "silence", None))
            case "key":
                if not isinstance(value, str) or len(value) != 1 or value not in "0123456789*#ABCD":
                    raise self._wrong(where, f"{value!r} is no key", "write one of 0–9 * # A–D, in quotes")
                return Key(value)
            case _:
                if value is not True:
                    raise self._wrong(where, f"{value!r}, where only true makes sense", "write hangup = true")
                return HangUp()

    def _noise(self, value: Any) -> Noise:
        table = self._table("noise", value, ("kind", "db", "file"))
        kind = str(self._choice({"noise.kind": table.get("kind")}, "noise.kind", ("white", "babble", "music", "file")))
        if ("file" in table) != (kind == "file"):
            raise self._wrong("noise.file", f'a file belongs to kind = "file", not to {kind!r}', "mend one of the two")
        file = self._wav("noise.file", table["file"]) if kind == "file" else None
        return Noise(kind, self._number("noise", table, "db", None), file)

    def _after(self, where: str, table: Mapping[str, Any]) -> float:
        return self._number(where, table, "after_ms", None) / 1000

    def _table(self, where: str, value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(where, f"{value!r} is no table", f"write {{ {' = …, '.join(known)} = … }}")
        self._known(value, where, known)
        return value

    def _known(self, table: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                mend = f"did you mean {close[0]!r}?" if close else f"write one of {', '.join(known)}"
                raise self._wrong(f"{where}.{key}".lstrip("."), "unknown", mend)

    def _choice(self, table: Mapping[str, Any], key: str, choices: tuple[str | int, ...]) -> str | int:
        value = table.get(key, choices[0])
        if value not in choices:
            raise self._wrong(key, f"{value!r} is not possible", f"write one of {', '.join(map(repr, choices))}")
        return choices[choices.index(value)]

    def _text(self, table: Mapping[str, Any], key: str, default: str) -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, f"{value!r} is no number", 'write it as "+254700000001"')
        return value

    def _number(self, where: str, table: Mapping[str, Any], key: str, default: float | None) -> float:
        value = table.get(key, default)
        where = where if where.endswith(key) else f"{where}.{key}"
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100_000:
            raise self._wrong(where, f"{value!r} where a number is due", f"write {key} = N")
        return float(value)

    def _wav(self, where: str, value: Any) -> Path:
        if not isinstance(value, str) or not value.endswith(".wav"):
            raise self._wrong(where, f"{value!r} is no WAV file", 'write its name, as "hello.wav"')
        for folder in (self._path.parent, UTTERANCES):
            if (folder / value).is_file():
                return folder / value
        near = difflib.get_close_matches(value, [path.name for path in UTTERANCES.glob("*.wav")], 1)
        mend = f"did you mean {near[0]!r}?" if near else f"put it beside {self._path.name} or choose one of {UTTERANCES}"
        raise self._wrong(where, f"there is no {value}", mend)

    def _wrong(self, where: str, what: str, mend: str) -> ScenarioError:
        return ScenarioError(f"{self._path}: {where}", what, mend)
