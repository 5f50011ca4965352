"""Spans to a collector, by OTLP over HTTP, from a thread of their own.

Our spans are complete when they get here, ids and times and all, so that no tracer is needed: each is handed to the batch
processor as the SDK's read-only span. The processor starts one daemon thread and registers nothing at exit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from telemetry import names
from telemetry.spans import Span

QUEUE: Final = 8192
"""Spans that wait for the collector: some thousand turns, several minutes of a full daemon."""

BATCH: Final = 512
DELAY_MS: Final = 1000
"""A live call is read a second behind."""

TIMEOUT_S: Final = 2
"""A post that takes longer is lost; with the SDK's own 10 s the daemon's end would wait 14 s for a dead collector."""

log = logging.getLogger(__name__)


class Collector:
    """The collector at `endpoint`, its base address. `offer` belongs to the loop's thread, `close` to any."""

    def __init__(self, service_name: str, endpoint: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a dead collector is a counter, not a page of log
        base = endpoint.rstrip("/")
        url = base if base.endswith("/v1/traces") else f"{base}/v1/traces"
        self._resource = Resource.create({"service.name": service_name})
        self._scope = InstrumentationScope("agentd")
        self._exporter = _Counting(OTLPSpanExporter(endpoint=url, timeout=TIMEOUT_S), url)
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=QUEUE, schedule_delay_millis=DELAY_MS, max_export_batch_size=BATCH
        )
        self._offered = self._refused = 0

    @property
    def lost(self) -> int:
        """Spans that did not fit into the queue, or that the collector did not take."""
        return self._refused + self._exporter.failed

    def offer(self, span: Span) -> None:
        """Queue a span; where the queue is full, it is lost. Never waits."""
        if self._offered - self._exporter.taken >= QUEUE:
            self._refused += 1
            return
        self._offered += 1
        self._processor.on_end(self._readable(span))

    def close(self) -> None:
        """Post what waits and end the thread. Blocks: with a dead collector for some seconds."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, span: Span) -> ReadableSpan:
        failed = names.ERROR in span.attributes
        return ReadableSpan(
            span.name,
            context=_context(span.trace_id, span.span_id),
            parent=None if span.parent_id is None else _context(span.trace_id, span.parent_id),
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(event.name, event.attributes, event.at) for event in span.events],
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=self._scope,
        )


class _Counting(SpanExporter):
    """Counts what goes through: `taken` from the queue, and of these `failed`. Runs in the processor's thread."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self._exporter, self._url = exporter, url
        self.taken = self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Post a batch."""
        self.taken += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self.failed:
                log.warning("%s takes no spans; what is lost is counted in %s", self._url, names.M_LOST)
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
