"""Where a call's spans go: to its folder, and to a collector where one is configured. Neither can hold up a call.

The conductor writes its log here. Each entry is reduced to turns, and a turn that is over to spans, at once, in the loop's
thread. To a collector they go through OpenTelemetry's batch processor: its thread posts them over HTTP, its queue is bounded,
and what does not fit or is not taken is counted. Without a collector no thread is started and the SDK is not even imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import trio

from agentd.messages import Logged, RowChanged
from telemetry import names
from telemetry.metrics import Metrics
from telemetry.spans import Attribute, CallSpans, Span
from telemetry.steps import CallSteps
from telemetry.turns import Clock, Finished, TurnRecord

if TYPE_CHECKING:
    from telemetry.otlp import Collector

CLOSE_S: Final = 5.0
"""A daemon that ends waits so long for its last spans to be posted."""

_MODEL: Final = (names.PROVIDER, names.MODEL)


class Telemetry:
    """The process's telemetry. `otlp_endpoint` is a collector's base address (http://127.0.0.1:4318) or None.

    `content` lets words into spans, redacted.
    """

    def __init__(self, service_name: str, otlp_endpoint: str | None, content: bool) -> None:
        self.metrics = Metrics()
        self._content = content
        self._collector: Collector | None = None
        if otlp_endpoint:
            from telemetry.otlp import Collector

            self._collector = Collector(service_name, otlp_endpoint)
        self._told = 0

    def call(
        self, call_id: str, attributes: Mapping[str, Attribute], clock: Clock, on_span: Callable[[dict[str, Any]], None]
    ) -> CallTrace:
        """A call begins. `attributes` are the call's (names of `names.py`; others are left out and counted).

        `on_span` gets each finished span as a line for spans.jsonl; it must not wait.
        """
        self.metrics.call_began()
        return CallTrace(self, {names.CALL_ID: call_id, **attributes}, clock, on_span, content=self._content)

    def export(self, span: Span) -> None:
        """Offer a span to the collector, if there is one. Never waits."""
        if self._collector is not None:
            self._collector.offer(span)

    def render(self) -> str:
        """The metrics' text, losses brought up to date."""
        if self._collector is not None:
            lost = self._collector.lost
            self.metrics.lost("span", lost - self._told)
            self._told = lost
        return self.metrics.render()

    async def aclose(self) -> None:
        """Post what waits, for at most `CLOSE_S`. Cancelled or late: the rest is lost, and a thread ends by itself."""
        if self._collector is not None:
            with trio.move_on_after(CLOSE_S):
                await trio.to_thread.run_sync(self._collector.close, abandon_on_cancel=True)


class CallTrace:
    """One call's log, taken entry by entry: the conductor's `Log`."""

    def __init__(
        self,
        telemetry: Telemetry,
        attributes: Mapping[str, Attribute],
        clock: Clock,
        on_span: Callable[[dict[str, Any]], None],
        *,
        content: bool,
    ) -> None:
        self._telemetry, self._clock, self._on_span = telemetry, clock, on_span
        self._attributes = self._known(attributes)
        self._steps = CallSteps()
        model = {name: self._attributes[name] for name in _MODEL if name in self._attributes}
        self._spans = CallSpans(clock, content=content, model=model)
        self._start: float | None = None
        self._end = clock.monotonic
        self._turns = 0
        self._closed = False

    @property
    def trace_id(self) -> str:
        """The call's trace, as 32 hexadecimal digits."""
        return self._spans.trace_id

    def write(self, entry: Logged) -> None:
        """Take the next entry. Never waits, never raises: an entry that cannot be read is lost and counted."""
        if self._start is None:
            self._start = entry.at
        self._end = entry.at
        self._guard(lambda: self._take(self._steps.feed(entry)))

    def close(self, outcome: str, attributes: Mapping[str, Attribute], rows: tuple[RowChanged, ...] = ()) -> None:
        """The call is over: what was open is closed, and the root is exported. A second time does nothing.

        `rows` are the call's effects as it left them: what the log did not live to tell of them stands on the root.
        """
        if self._closed:
            return
        self._closed = True
        self._guard(lambda: self._take(self._steps.end(self._end)))
        settled = [*self._steps.after, *self._steps.effects.moved(self._end, rows)]
        self._guard(lambda: self._telemetry.metrics.notes(settled))
        self._telemetry.metrics.tellings(self._steps.effects.tellings.values())
        last = {names.CALL_OUTCOME: outcome, names.CALL_TURNS: self._turns, **self._known(attributes)}
        start = self._clock.monotonic if self._start is None else self._start
        self._guard(lambda: self._give(self._spans.call(start, self._end, self._attributes | last, settled)))
        self._telemetry.metrics.call_ended(outcome)

    def _take(self, finished: list[Finished]) -> None:
        for over in finished:
            if isinstance(over, TurnRecord):
                self._turns += 1
                self._telemetry.metrics.turn(over)
                for span in self._spans.turn(over):
                    self._give(span)
            else:
                self._give(self._spans.late(over))

    def _give(self, span: Span) -> None:
        self._telemetry.export(span)
        self._on_span(span.as_dict())

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # telemetry's boundary: whatever is wrong here is a count, never the end of a call
            self._telemetry.metrics.lost("entry")

    def _known(self, attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
        """The attributes that the table documents."""
        known = {name: value for name, value in attributes.items() if names.TABLE.get(name, ("",))[0] == "attribute"}
        if len(known) < len(attributes):
            self._telemetry.metrics.lost("attribute", len(attributes) - len(known))
        return known
