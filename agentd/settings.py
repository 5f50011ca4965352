"""What the operator decides: `agentd.toml`, then the environment, then the command line; the later one wins.

Everything is checked when it is loaded, unknown names too, and every error names the key, the place and the mend. No error
ever holds a value: a mistyped line may hold a secret. Relative paths are seen from the working directory.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from agentd import limits
from agentd.errors import SettingsError

MASK = "••••••"
PREFIX = "AGENTD_"

_NUMBER = re.compile(r"\+?[0-9]{2,15}")
_ENGINE = re.compile(r"[a-z_][a-z0-9_]*|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _wrong(what: str, *, where: str, mend: str) -> SettingsError:
    return SettingsError(f"{what}.", where=where, mend=mend)


class Secret(SecretStr):
    """A text that prints as bullets wherever it is printed; `get_secret_value()` gives it away."""

    def __str__(self) -> str:
        return MASK if self.get_secret_value() else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"


class Address(Secret):
    """A database's address: its password, and all that stands behind a question mark, print as bullets."""

    def __str__(self) -> str:
        return re.sub(r"(?<=:)(?!//).+(?=@)|(?<=\?).+", MASK, self.get_secret_value())


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("Input should be a number")  # noqa: TRY004 — pydantic takes a ValueError
    return value


def _digits(value: object) -> object:
    """The environment has only text: its "1" is the file's 1."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


def _names(value: object) -> object:
    """One name, or names with commas between them, is a chain too."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def _engine(name: str) -> str:
    if not _ENGINE.fullmatch(name):
        raise ValueError("Input should be a module's name or package.module:factory")
    return name


def _url(value: str) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and parts.hostname is not None and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or parts.username is not None or re.search(r"[\s\x00-\x1f\"<>?#]", value):
        raise ValueError("Input should be an http or https address without user, query and fragment")
    return value.rstrip("/")


def _not_the_mask(value: Secret) -> Secret:
    if value.get_secret_value().strip("•") == "" and value:
        raise ValueError("Input should be the secret itself, not its mask")
    return value


def _database(value: object) -> object:
    if not isinstance(value, str) or not value:
        return value
    sound = re.fullmatch(r"sqlite:///.+|postgresql://[^\s/]*/[^\s]+", value) and value != "sqlite:///:memory:"
    if not sound or MASK in value:
        raise ValueError("Input should be the address of a SQLite file or of a PostgreSQL database")
    return value


_Int = Annotated[int, BeforeValidator(_no_bool)]
_Seconds = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
_Rate = Annotated[Literal[8000, 16000], BeforeValidator(_no_bool), BeforeValidator(_digits)]
_Url = Annotated[str, AfterValidator(_url)]
_Secret = Annotated[Secret, AfterValidator(_not_the_mask)]
_Address = Annotated[Address, BeforeValidator(_database)]
_Engine = Annotated[str, AfterValidator(_engine)]
_Chain = Annotated[tuple[_Engine, ...], BeforeValidator(_names), Field(min_length=1, max_length=8)]


class _Section(BaseModel):
    """One table of agentd.toml. Each field's description completes "give …" in its errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Server(_Section):
    """Where the one port is, and under which address the carrier reaches it."""

    host: str = Field("127.0.0.1", min_length=1, description="the address to listen on, such as 127.0.0.1 or 0.0.0.0")
    port: _Int = Field(8080, ge=0, le=65535, description="a port from 0 to 65535; 0 takes a free one")
    public_url: _Url = Field("", description="the address that carriers reach, such as https://voice.example.com")
    drain_s: _Seconds = Field(60.0, ge=0, le=limits.CALL_S, description=f"seconds from 0 to {limits.CALL_S:g}")


class Calls(_Section):
    """What a call may take and what remains of it. `recording = "flow"` leaves the choice to each flow."""

    out: Path = Field(Path("calls"), description="a folder for the calls' folders")
    limit: _Int = Field(20, ge=1, le=limits.CONNECTIONS // 2, description=f"calls at once, 1 to {limits.CONNECTIONS // 2}")
    max_s: _Seconds = Field(limits.CALL_S, gt=0, le=limits.CALL_S, description=f"seconds, up to {limits.CALL_S:g}")
    recording: Literal["flow", "on", "off"] = Field("flow", description='"flow", "on" or "off"')
    retention_days: _Int = Field(30, ge=1, le=36_500, description="days from 1 to 36500")


class Sautikit(_Section):
    """The carrier's account. `leg_rate` is that of the telephone leg: the switch's prebuffer depends on it."""

    secret: _Secret = Field(Secret(""), description="the webhook signing secret of the number")
    secret_file: str = Field("", description="a file that holds the webhook signing secret and nothing else")
    rate: _Rate = Field(16000, description="8000 or 16000")
    track: Literal["inbound_track", "both_tracks"] = Field("inbound_track", description='"inbound_track" or "both_tracks"')
    dialect: Literal["sautikit", "jambonz"] = Field("sautikit", description='"sautikit" or "jambonz"')
    channels: Annotated[Literal["auto", 1, 2], BeforeValidator(_no_bool), BeforeValidator(_digits)] = Field(
        "auto", description='"auto", 1 or 2'
    )
    leg_rate: _Rate = Field(8000, description="8000 or 16000")


class Engines(_Section):
    """The chain of engines of each stage: the first one works, the next takes over when it fails for good."""

    recognizer: _Chain = Field(("local",), description='names such as ["local"] or ["my_package.my_module:factory"]')
    thinker: _Chain = Field(("rules",), description='names such as ["rules"] or ["my_package.my_module:factory"]')
    voice: _Chain = Field(("local",), description='names such as ["local"] or ["my_package.my_module:factory"]')
    vad: _Engine = Field("local", description='a name such as "local" or "my_package.my_module:factory"')


class Ledger(_Section):
    """Where effects are on record; `url` empty: `ledger.sqlite` in the calls' folder. `key` seals what callers gave."""

    url: _Address = Field(
        Address(""), description="sqlite:///path/to/ledger.sqlite or postgresql://user:password@host/database"
    )
    key: _Secret = Field(Secret(""), description="32 random bytes in base64; older keys behind it, with commas between them")
    key_file: str = Field("", description="a file that holds the key and nothing else")
    erase_days: _Int = Field(30, ge=1, le=36_500, description="days from 1 to 36500")
    lease_s: _Seconds = Field(5.0, ge=1, le=60, description="seconds from 1 to 60")


class After(_Section):
    """What leaves after a call, and where to: its record by `call_url`, what a caller must be told by `notice_url`."""

    call_url: _Url = Field("", description="the address that calls are posted to when they are over, or nothing")
    notice_url: _Url = Field("", description="the address that callers' notices are posted to, or nothing")
    secret: _Secret = Field(Secret(""), description="the secret that signs both")
    secret_file: str = Field("", description="a file that holds the secret and nothing else")


class Telemetry(_Section):
    """Where spans go, apart from the call's folder. `content` lets words into them."""

    otlp_endpoint: _Url = Field("", description="a collector's address, such as http://127.0.0.1:4318, or nothing")
    service_name: str = Field("agentd", min_length=1, description="the service's name in traces")
    content: bool = Field(False, description="true or false")


_SECTIONS: Mapping[str, type[_Section]] = {
    "server": Server,
    "calls": Calls,
    "sautikit": Sautikit,
    "engines": Engines,
    "ledger": Ledger,
    "after": After,
    "telemetry": Telemetry,
}
_SECRETS: Mapping[str, str] = MappingProxyType({"sautikit": "secret", "ledger": "key", "after": "secret"})
"""Section → its key that may stand in a file of its own, under that name and `_file`."""
_ANY_NUMBER: Mapping[str, str] = MappingProxyType({"*": "receptionist"})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. `numbers` is number → flow (a module's name or a path; "*" is any other number).

    `sources` is "section.key" → default | file | environment | command line ("numbers" stands for its whole table).
    """

    server: Server
    calls: Calls
    numbers: Mapping[str, str]
    sautikit: Sautikit
    engines: Engines
    ledger: Ledger
    after: After
    telemetry: Telemetry
    sources: Mapping[str, str]

    def flow_for(self, number: str) -> str:
        """The flow that answers `number`, written with or without +, spaces and hyphens; raises SettingsError if none does."""
        called = _plain(number)
        for known, flow in self.numbers.items():
            if known != "*" and _plain(known) == called:
                return flow
        if "*" not in self.numbers:
            raise _wrong("no flow answers this number", where="numbers", mend='add it, or a line "*" for all others.')
        return self.numbers["*"]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as it was written, and where: `source` is its kind, `where` its place in words."""

    value: Any
    source: str
    where: str


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] = MappingProxyType({})) -> Settings:
    """Read the settings; `path` None: there is no file.

    `overrides` come from the command line, by "section.key", or "numbers" for the whole table. Raises SettingsError.
    """
    given: dict[str, _Given] = {}
    for layer in (_from_file(path) if path else {}, _from_environment(environ), _from_overrides(overrides)):
        _replace_the_other_secret(given, layer)
        given |= layer
    sections: dict[str, Any] = {name: _section(name, model, given) for name, model in _SECTIONS.items()}
    numbers = _numbers(given["numbers"]) if "numbers" in given else _ANY_NUMBER
    sources = MappingProxyType({key: value.source for key, value in given.items()})
    settings = Settings(numbers=numbers, sources=sources, **sections)
    if not settings.server.public_url and not _is_loopback(settings.server.host):
        raise _wrong(
            "server.public_url is missing, and carriers cannot guess it",
            where=given["server.host"].where,
            mend=f"give {_describe('server', 'public_url')}, or listen on 127.0.0.1.",
        )
    return settings


def show(settings: Settings) -> str:
    """The settings as TOML that can be read back, with secrets masked and each value's source as a comment."""
    lines: list[str] = []
    for section in ("server", "calls", "numbers", "sautikit", "engines", "ledger", "after", "telemetry"):
        lines.append(f"[{section}]")
        if section == "numbers":
            source = settings.sources.get("numbers", "default")
            lines += [f"{_toml(number)} = {_toml(flow)}  # {source}" for number, flow in settings.numbers.items()]
        else:
            for key in _SECTIONS[section].model_fields:
                source = settings.sources.get(f"{section}.{key}", "default")
                lines.append(f"{key} = {_toml(getattr(getattr(settings, section), key))}  # {source}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    match value:
        case tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case str() | Secret() | Path():
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return json.dumps(value)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_file(path: Path) -> dict[str, _Given]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(
            f"the file cannot be read ({error.strerror})", where=str(path), mend="check its path and rights."
        ) from None
    except UnicodeDecodeError:
        raise _wrong("the file is not UTF-8 text", where=str(path), mend="save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"the file is not TOML ({error})", where=str(path), mend='write key = value, texts in "".') from None
    given: dict[str, _Given] = {}
    for section, values in table.items():
        if not isinstance(values, dict):
            raise _wrong(f"{section} stands outside every section", where=str(path), mend=_mend_key("", section))
        if section == "numbers":
            given["numbers"] = _Given(values, "file", str(path))
            continue
        _check_section(section, str(path))
        for key, value in values.items():
            _check_key(section, key, str(path))
            given[f"{section}.{key}"] = _Given(value, "file", str(path))
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    known = {f"{PREFIX}{section}_{key}".upper(): f"{section}.{key}" for section, key in _keys()}
    given: dict[str, _Given] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            mend = f"did you mean {close[0]}? Else unset it." if close else "unset it; numbers are set in the file only."
            raise _wrong(f"{name} is no setting", where="environment", mend=mend)
        given[known[name]] = _Given(value, "environment", f"environment variable {name}")
    return given


def _from_overrides(overrides: Mapping[str, Any]) -> dict[str, _Given]:
    for name in overrides:
        if name != "numbers":
            section, _, key = name.partition(".")
            _check_key(section, key, "command line")
    return {name: _Given(value, "command line", "command line") for name, value in overrides.items()}


def _replace_the_other_secret(given: dict[str, _Given], layer: Mapping[str, _Given]) -> None:
    """`secret` and `secret_file` are two spellings of one setting: the later layer's replaces the other one."""
    for section, key in _SECRETS.items():
        pair = (f"{section}.{key}", f"{section}.{key}_file")
        present = [name for name in pair if name in layer and layer[name].value]
        if len(present) == 2:
            raise _wrong(f"{key} and {key}_file are both given in [{section}]", where=layer[pair[0]].where, mend="keep one.")
        if present:
            for name in pair:
                given.pop(name, None)


# ── Checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _section(name: str, model: type[_Section], given: Mapping[str, _Given]) -> _Section:
    values = {key: given[f"{name}.{key}"].value for key in model.model_fields if f"{name}.{key}" in given}
    secret = _SECRETS.get(name, "")
    file = f"{name}.{secret}_file"
    try:
        section = model.model_validate(values)
        if file in given and (path := getattr(section, f"{secret}_file")):
            section = model.model_validate(values | {secret: _read_secret(path, file, given[file].where)})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        key = str(first["loc"][0])
        place = given[f"{name}.{key}" if f"{name}.{key}" in given else file].where
        why = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise _wrong(f"{name}.{key} {why}", where=place, mend=f"give {_describe(name, key)}.") from None
    return section


def _read_secret(path: str, setting: str, where: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError):
        secret = ""
    if not secret:
        raise _wrong(
            f"{setting} is empty or cannot be read",
            where=where,
            mend="check the file, its path and its rights.",
        )
    return secret


def _numbers(given: _Given) -> Mapping[str, str]:
    table = given.value
    if not isinstance(table, Mapping) or not table:
        raise _wrong("numbers is empty", where=given.where, mend='write "+15550100" = "receptionist" under [numbers].')
    seen: set[str] = set()
    for number, flow in table.items():
        if number != "*" and not _NUMBER.fullmatch(number):
            raise _wrong(f'numbers."{number}" is no number', where=given.where, mend='write it as "+15550100", or "*".')
        if _plain(number) in seen:
            raise _wrong(f'numbers."{number}" is there twice', where=given.where, mend="keep one of the two lines.")
        if not isinstance(flow, str) or not flow.strip():
            raise _wrong(
                f'numbers."{number}" names no flow', where=given.where, mend='give a name such as "receptionist", or a path.'
            )
        seen.add(_plain(number))
    return MappingProxyType(dict(table))


def _plain(number: str) -> str:
    return number if number == "*" else re.sub(r"[^0-9]", "", number)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keys() -> list[tuple[str, str]]:
    return [(section, key) for section, model in _SECTIONS.items() for key in model.model_fields]


def _describe(section: str, key: str) -> str:
    return _SECTIONS[section].model_fields[key].description or ""


def _check_section(section: str, where: str) -> None:
    if section not in _SECTIONS:
        close = difflib.get_close_matches(section, [*_SECTIONS, "numbers"], n=1)
        mend = f"did you mean [{close[0]}]?" if close else f"the sections are {', '.join(_SECTIONS)} and numbers."
        raise _wrong(f"there is no section [{section}]", where=where, mend=mend)


def _check_key(section: str, key: str, where: str) -> None:
    _check_section(section, where)
    if key not in _SECTIONS[section].model_fields:
        raise _wrong(f"there is no key {key} in [{section}]", where=where, mend=_mend_key(section, key))


def _mend_key(section: str, key: str) -> str:
    here = [known for place, known in _keys() if place == section]
    close = difflib.get_close_matches(key, here, n=1)
    if close:
        return f"did you mean {close[0]}?"
    elsewhere = [place for place, known in _keys() if known == key]
    if elsewhere:
        return f"put it under [{elsewhere[0]}]."
    return f"the keys of [{section}] are {', '.join(here)}." if here else "put it under one of the sections, or take it out."
