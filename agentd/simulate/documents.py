"""The XML documents that a switch carries out: `<Response>` with verbs in order.

A switch is strict about what it cannot do without (a URL, a rate, a number) and deaf to attributes that it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from agentd.simulate.errors import Broke

MAX_METADATA = 8192
"""Bytes of openMetadata: drachtio's buffer for it."""
MAX_PATH = 4096
"""Bytes of the media URL's path: drachtio's buffer for it."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Open a media socket to `url` and stay on it until it closes. `rate` in Hz; `track`: inbound_track | both_tracks."""

    url: str
    track: str
    rate: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Say:
    """Speak `text` with the switch's own voice."""

    text: str


@dataclass(frozen=True, slots=True)
class Dial:
    """Ring `number` for `timeout` seconds and connect it with the caller."""

    number: str
    caller_id: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Redirect:
    """Ask `url` for the next document."""

    url: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


Verb = Stream | Say | Dial | Redirect | Hangup


def parse(document: str) -> tuple[Verb, ...]:
    """Read a document; raises Broke with what a switch would log."""
    try:
        root = ElementTree.fromstring(document)
    except (ElementTree.ParseError, ValueError) as error:
        raise Broke(f"the voice webhook answered no XML: {error}; it began {document[:60]!r}") from error
    if root.tag != "Response":
        raise Broke(f"the voice webhook's document is a <{root.tag}>, not a <Response>")
    return tuple(_verb(element) for element in root)


def _verb(element: ElementTree.Element) -> Verb:
    text = (element.text or "").strip()
    match element.tag:
        case "Stream":
            return _stream(element)
        case "Say":
            return Say(text)
        case "Dial":
            if not text:
                raise Broke("<Dial> names no number")
            return Dial(text, element.get("callerId", ""), _seconds(element.get("timeout", "60")))
        case "Redirect":
            if not text:
                raise Broke("<Redirect> names no URL")
            if element.get("method", "POST").upper() != "POST":
                raise Broke(f"<Redirect method={element.get('method')!r}>: the switch only posts")
            return Redirect(text)
        case "Hangup":
            return Hangup()
        case other:
            raise Broke(f"the document holds <{other}>, which the switch does not know")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Broke(f"<Dial timeout={text!r}> is not a number of seconds") from None


def _stream(element: ElementTree.Element) -> Stream:
    url, track, rate = element.get("url", ""), element.get("track", ""), element.get("outputSamplingRate", "")
    metadata = element.get("openMetadata", "")
    if not url.startswith(("ws://", "wss://")):
        raise Broke(f"<Stream url={url!r}>: the switch opens ws:// and wss:// URLs")
    if len(url.encode()) > MAX_PATH:
        raise Broke(f"<Stream url=…> has {len(url.encode())} bytes; the switch takes {MAX_PATH}")
    if track not in ("inbound_track", "both_tracks"):
        raise Broke(f"<Stream track={track!r}>: required, inbound_track or both_tracks")
    if rate not in ("8000", "16000"):
        raise Broke(f"<Stream outputSamplingRate={rate!r}>: required, 8000 or 16000")
    if len(metadata.encode()) > MAX_METADATA:
        raise Broke(f"<Stream openMetadata=…> has {len(metadata.encode())} bytes; the switch keeps {MAX_METADATA}")
    return Stream(url, track, int(rate), metadata)
