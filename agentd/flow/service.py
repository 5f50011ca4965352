"""Tools as HTTP endpoints, declared as data and given to the same decorators as functions:

    DESK = Service("https://desk.example/v1", secrets={"Authorization": "DESK_AUTHORIZATION"})

    book = held(tell="You are booked for {when}.", …)(DESK.endpoint("POST /holds", name="book", args=Booking))
    book.confirm(DESK.endpoint("POST /holds/{effect}/confirm"))
    book.cancel(DESK.endpoint("DELETE /holds/{effect}"))
    book.status(DESK.endpoint("GET /effects/{effect}"))

POST, PUT and PATCH send the arguments as JSON. Every request that changes something carries its `Idempotency-Key`, and every
one `Agentd-Call`, `Agentd-From` and `Agentd-To`: whom it is done for. A success (2xx) has done it; 404 and 410 say that it is
not there, any other 4xx refuses it, 429 has not looked at it; after 408, 409, 425, 5xx or no answer the outcome is unknown. A
status is {"status": "there" | "confirmed" | "absent"}, or 404. Redirects are not followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic import BaseModel

from agentd.errors import FlowError, ToolError, ToolNotSent
from agentd.flow import templates
from agentd.flow.arguments import RESULT, Function
from agentd.flow.context import Context
from agentd.flow.effects import Hold
from agentd.flow.wire import Remote, Request, send

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
EFFECT: Final = "effect"
"""The field of a path that is the key under which the thing itself was done."""

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_PATH: Final = re.compile(r"(/[A-Za-z0-9{}._~!$&'()*+,;=:@%-]*)*")


class _Nothing(BaseModel):
    """The arguments of an endpoint that only goes on with what another one began."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Endpoint(Function):
    """A request of a tool. `path` may have {effect}, {arguments}, {result} and {result.name} in it."""

    service: Service
    method: str
    path: str
    query: Sequence[str] = ()
    expires: str = ""
    about: str = ""

    @property
    def blocking(self) -> bool:
        """It never is."""
        return False

    @property
    def summary(self) -> str:
        """What it is for."""
        return self.about

    async def call(self, context: Context, args: BaseModel, result: Any = None) -> Any:
        """Send it. Raises ToolError and its kinds. Cancelled: it may have been carried out."""
        plain = args.model_dump(mode="json")
        target = self.service.prefix + self._path(plain, context, result)
        if self.query:
            target += "?" + urlencode({name: plain[name] for name in self.query if plain.get(name) is not None})
        headers = self.service.headers(context) | ({"Idempotency-Key": context.key} if self._changes(context) else {})
        body = None
        if self.method in ("POST", "PUT", "PATCH"):
            body = args.model_dump_json().encode()
            headers["Content-Type"] = "application/json"
        answer = await send(self.service.remote, Request(self.method, target, f"{self.method} {self.path}", headers, body))
        return self._hold(answer) if self.expires else answer

    def _changes(self, context: Context) -> bool:
        return bool(context.key) and self.method != "GET"

    def _path(self, args: Mapping[str, Any], context: Context, result: Any) -> str:
        """The path with its fields, each of them one segment's text and nothing more."""

        def value(name: str) -> str:
            head, _, key = name.partition(".")
            found: Any = context.effect if head == EFFECT else args.get(name)
            if head == RESULT:
                found = result if not key else result.get(key) if isinstance(result, Mapping) else None
            text = "" if found is None else str(found)
            if text in ("", ".", ".."):
                raise ToolNotSent(f"{self.method} {self.path} has nothing to put for {{{name}}}")
            return quote(text, safe="")

        return templates.render(self.path, value).text

    def _hold(self, answer: Any) -> Any:
        """A hold, until the time that the answer names."""
        until: Any = answer.get(self.expires) if isinstance(answer, Mapping) else None
        try:
            expires = datetime.fromisoformat(until) if isinstance(until, str) else datetime.fromtimestamp(float(until), UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            raise ToolError(f"{self.method} {self.path} names no time as its {self.expires!r}") from None
        return Hold(expires, answer)


class Service:
    """A remote that tools send requests to: `base` is its URL, and no request goes anywhere else.

    `secrets` are headers, each with the environment variable that holds its value. Only public addresses are called, unless
    `allow_private`, which also allows plain HTTP. FlowError for a base that is no plain URL.
    """

    def __init__(self, base: str, *, secrets: Mapping[str, str] | None = None, allow_private: bool = False) -> None:
        parts, port = _split(base)
        if parts.scheme != "https" and not allow_private:
            raise FlowError(
                f"{base!r} is not encrypted", where="Service", mend="write https://…, or allow_private=True for one's own net."
            )
        tls = httpx.create_ssl_context(trust_env=False) if parts.scheme == "https" else None
        self.prefix = parts.path.rstrip("/")
        self.remote = Remote(parts.hostname or "", port or (443 if tls else 80), tls, allow_private)
        self._secrets = dict(secrets or {})

    def endpoint(
        self,
        request: str,
        *,
        name: str = "",
        about: str = "",
        args: type[BaseModel] = _Nothing,
        query: Sequence[str] = (),
        expires: str = "",
    ) -> Endpoint:
        """One request, such as "POST /holds/{effect}/confirm"; FlowError where it is none.

        The one that begins a tool has the tool's `name`, its `args`, and, in `about`, what it is for. `query` names the
        arguments that go into the URL's query, `expires` the field of a hold's answer that says until when it is promised:
        ISO 8601, or epoch seconds.
        """
        method, _, path = request.partition(" ")
        where = f"tool {name!r}" if name else f"endpoint {request!r}"
        if method not in METHODS:
            raise FlowError(f"{request!r} names no method", where=where, mend=f"begin it with {', '.join(METHODS)}.")
        if not path.startswith("/") or not _PATH.fullmatch(path) or path.startswith("//") or "/../" in f"{path}/":
            raise FlowError(f"{path!r} is no plain path", where=where, mend='write "/holds/{effect}", below the base.')
        templates.fields(path)
        return Endpoint(name, args, service=self, method=method, path=path, query=query, expires=expires, about=about)

    def headers(self, context: Context) -> dict[str, str]:
        """The secrets, and whom a request is sent for; ToolNotSent where the environment lacks a secret."""
        found = {
            name: quote(value, safe="+")
            for name, value in (
                ("Agentd-Call", context.call), ("Agentd-From", context.call_from), ("Agentd-To", context.call_to),
            )
            if value
        }  # fmt: skip
        for header, variable in self._secrets.items():
            value = os.environ.get(variable, "").strip()
            if not value:
                raise ToolNotSent(f"the environment has no {variable}, which {self.remote.host} wants as its {header}")
            found[header] = value
        return found


def _split(base: str) -> tuple[Any, int | None]:
    """A base URL in its parts; FlowError for whatever could be read in two ways."""
    mend = 'write it as "https://desk.example/v1"; a name in other letters by its "xn--…".'
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError:
        raise FlowError(f"{base!r} is no URL", where="Service", mend=mend) from None
    plain = base.isascii() and base.isprintable() and not set(base) & set(" \\?#@%")
    if (
        not plain
        or parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(parts.hostname or "")
        or not _PATH.fullmatch(parts.path)
        or {".", ".."} & set(parts.path.split("/"))
        or port == 0
    ):
        raise FlowError(f"{base!r} is no plain URL of a service", where="Service", mend=mend)
    return parts, port
