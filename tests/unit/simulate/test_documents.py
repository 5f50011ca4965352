from __future__ import annotations

import pytest

from agentd.simulate.documents import Dial, Hangup, Redirect, Say, Stream, parse
from agentd.simulate.errors import Broke
from agentd.simulate.signing import sign

STREAM = (
    '<Stream name="a" url="wss://h/x?t=1&amp;u=2" track="inbound_track" outputSamplingRate="16000" openMetadata="{}" new="x"/>'
)


def test_verbs_are_read_in_their_order() -> None:
    document = (
        f"<?xml version='1.0'?><Response>{STREAM}<Say> bye </Say><Dial callerId='+1' timeout='20'>+2</Dial>"
        "<Redirect method='POST'>/again</Redirect><Hangup/></Response>"
    )
    assert parse(document) == (
        Stream("wss://h/x?t=1&u=2", "inbound_track", 16000, "{}"),
        Say("bye"),
        Dial("+2", "+1", 20),
        Redirect("/again"),
        Hangup(),
    )


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "no XML"),
        ("<Response>", "no XML"),
        ("<Reply/>", "not a <Response>"),
        ("<Response><Play/></Response>", "<Play>"),
        ("<Response><Dial/></Response>", "names no number"),
        ("<Response><Dial timeout='soon'>+1</Dial></Response>", "not a number of seconds"),
        ("<Response><Redirect/></Response>", "names no URL"),
        ("<Response><Redirect method='GET'>/x</Redirect></Response>", "only posts"),
        (f"<Response>{STREAM.replace('wss:', 'http:')}</Response>", "ws:// and wss://"),
        (f"<Response>{STREAM.replace('inbound_track', 'mine')}</Response>", "track='mine'"),
        (f"<Response>{STREAM.replace('16000', '44100')}</Response>", "outputSamplingRate='44100'"),
        (f"<Response>{STREAM.replace('{}', 'm' * 8193)}</Response>", "8193 bytes"),
        (f"<Response>{STREAM.replace('h/x', 'h/' + 'p' * 5000)}</Response>", "the switch takes 4096"),
    ],
)
def test_what_no_switch_can_do_is_said(document: str, sentence: str) -> None:
    with pytest.raises(Broke) as broke:
        parse(document)
    assert sentence in str(broke.value)


def test_the_signature_covers_the_body_first_and_then_the_time() -> None:
    # echo -n 'CallId=1.1700000000' | openssl dgst -sha256 -hmac key
    digest = "65c49bfe1710ab7feed63334e47aad8c586ba3506eb844f91ee77a57b202189c"
    assert sign("key", b"CallId=1", 1700000000) == f"t=1700000000,v1={digest}"
