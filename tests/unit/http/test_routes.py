"""Paths → handlers."""

from __future__ import annotations

import pytest

from agentd.http.routes import Router
from agentd.http.wire import Request, Response


async def voice(request: Request) -> Response:
    return Response(200, b"voice " + request.body)


@pytest.fixture
def state() -> dict[str, str]:
    return {"unready": ""}


@pytest.fixture
def router(state: dict[str, str]) -> Router:
    router = Router(lambda: state["unready"], lambda: "agentd_calls 3\n")
    router.add("POST", "/sautikit/voice", voice, needs="x-sautikit-signature")
    return router


def request(method: str, path: str, body: bytes = b"", **headers: str) -> Request:
    return Request(method, path, "", {name.replace("_", "-"): value for name, value in headers.items()}, body, "")


async def test_ready_until_there_is_a_reason_not_to_be(router: Router, state: dict[str, str]) -> None:
    assert (await router.answer(request("GET", "/readyz"))).status == 200
    state["unready"] = "draining"
    answer = await router.answer(request("GET", "/readyz"))
    assert (answer.status, answer.body) == (503, b"draining\n")
    assert (await router.answer(request("GET", "/healthz"))).status == 200


async def test_metrics_are_given_as_prometheus_reads_them(router: Router) -> None:
    answer = await router.answer(request("GET", "/metrics"))
    assert (answer.body, answer.content_type.split(";")[0]) == (b"agentd_calls 3\n", "text/plain")


async def test_a_route_answers_its_method_and_head_is_get(router: Router) -> None:
    asked = request("POST", "/sautikit/voice", b"x", x_sautikit_signature="t")
    assert router.refuse(asked) is None
    assert (await router.answer(asked)).body == b"voice x"
    assert router.refuse(request("HEAD", "/healthz")) is None
    assert (await router.answer(request("HEAD", "/healthz"))).status == 200


def test_another_method_is_told_which_there_are(router: Router) -> None:
    answer = router.refuse(request("GET", "/sautikit/voice"))
    assert answer is not None
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_needed_header_that_is_missing_is_refused_by_the_head(router: Router) -> None:
    answer = router.refuse(request("POST", "/sautikit/voice"))
    assert answer is not None
    assert answer.status == 401


@pytest.mark.parametrize(
    "path",
    ["/", "", "/healthz/", "//healthz", "/./healthz", "/x/../healthz", "/HEALTHZ", "/healthz%00", "/%68ealthz", "/healthz;a",
     "*", "http://h/healthz", "/..%2f..%2fetc%2fpasswd", "/metrics/..%2F..%2Fagentd.toml"],
)  # fmt: skip
def test_no_other_spelling_of_a_path_is_that_path(router: Router, path: str) -> None:
    answer = router.refuse(request("GET", path))
    assert answer is not None
    assert answer.status == 404
