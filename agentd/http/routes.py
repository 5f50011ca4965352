"""Which path is answered by whom. Paths are compared as they were sent: nothing is decoded, joined or looked up on a disk."""

from __future__ import annotations

from collections.abc import Callable

from agentd.http.server import Handler
from agentd.http.wire import Request, Response

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The Prometheus text format."""


class Router:
    """Exact paths → handlers.

    `/healthz` answers 200 while the loop turns; `/readyz` 200, or 503 with what `unready` gives ("draining", "full"; empty:
    ready); `/metrics` what `metrics` gives.
    """

    def __init__(self, unready: Callable[[], str], metrics: Callable[[], str]) -> None:
        self._unready, self._metrics = unready, metrics
        self._routes: dict[str, dict[str, tuple[Handler, str]]] = {}
        self.add("GET", "/healthz", self._healthz)
        self.add("GET", "/readyz", self._readyz)
        self.add("GET", "/metrics", self._metrics_text)

    def add(self, method: str, path: str, handler: Handler, *, needs: str = "") -> None:
        """Answer `method` on `path` by `handler`. Without the header `needs` (lower-case), 401 before the body is read."""
        self._routes.setdefault(path, {})[method] = (handler, needs)

    def refuse(self, request: Request) -> Response | None:
        """What can be refused by the head alone: 404, 405, 401; else None."""
        methods = self._routes.get(request.path)
        if methods is None:
            return Response(404, b"not found\n")
        found = methods.get(_method(request))
        if found is None:
            return Response(405, b"method not allowed\n", headers={"allow": ", ".join(methods)})
        _, needs = found
        if needs and needs not in request.headers:
            return Response(401, f"{needs} is missing\n".encode())
        return None

    async def answer(self, request: Request) -> Response:
        """Answer a request that was not refused. Cancelled: what its handler leaves behind."""
        handler, _ = self._routes[request.path][_method(request)]
        return await handler(request)

    async def _healthz(self, request: Request) -> Response:
        return Response(200, b"ok\n")

    async def _readyz(self, request: Request) -> Response:
        reason = self._unready()
        return Response(503, f"{reason}\n".encode(), headers={"retry-after": "5"}) if reason else Response(200, b"ready\n")

    async def _metrics_text(self, request: Request) -> Response:
        return Response(200, self._metrics().encode(), METRICS_TYPE)


def _method(request: Request) -> str:
    """HEAD is answered as GET, without the body."""
    return "GET" if request.method == "HEAD" else request.method
