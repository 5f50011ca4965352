"""Sautikit's signatures, callbacks and documents."""

from __future__ import annotations

import hmac
from xml.etree import ElementTree

import pytest

from agentd import limits
from agentd.carriers.sautikit.control import (
    SIGNATURE,
    Answer,
    BadCallback,
    Callback,
    Forged,
    Replays,
    choose_subprotocol,
    dial_document,
    hangup_document,
    parse_callback,
    say_document,
    stream_document,
    verify,
)

FORM = "application/x-www-form-urlencoded"
NOW = 1_800_000_000
ZEROS = "0" * 64
BODY = b"CallId=CA1&From=%2B254700000001"


def digest(body: bytes, secret: str = "s3cret", at: int | str = NOW) -> str:
    return hmac.new(secret.encode(), body + b"." + str(at).encode(), "sha256").hexdigest()


def check(header: str, body: bytes = BODY, now: float = NOW) -> None:
    verify({SIGNATURE: header}, body, "s3cret", now)


# ── Signature ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_body_is_signed_before_the_time() -> None:
    check(f"t={NOW},v1={digest(BODY)}")
    check(f" v1={digest(BODY)} , t={NOW}, v0=legacy")
    reverse = hmac.new(b"s3cret", str(NOW).encode() + b"." + BODY, "sha256").hexdigest()
    with pytest.raises(Forged):
        check(f"t={NOW},v1={reverse}")


def test_one_true_digest_of_several_is_enough() -> None:
    check(f"t={NOW},v1={digest(BODY, 'old')},v1={digest(BODY)}")
    with pytest.raises(Forged):
        check(f"t={NOW},v1={digest(BODY, 'old')},v1={digest(BODY, 'older')}")


@pytest.mark.parametrize("shift", [-limits.REPLAY_S - 1, limits.REPLAY_S + 1])
def test_a_signature_outside_the_window_is_refused_on_either_side(shift: float) -> None:
    check(f"t={NOW},v1={digest(BODY)}", now=NOW + (shift / abs(shift)) * limits.REPLAY_S)
    with pytest.raises(Forged, match="clocks"):
        check(f"t={NOW},v1={digest(BODY)}", now=NOW + shift)


@pytest.mark.parametrize(
    "header",
    ["", "t=", "v1=", f"t={NOW}", f"t=x,v1={ZEROS}", f"t={NOW},t={NOW},v1={ZEROS}", f"t={NOW},v1=zz", f"t={NOW};v1={ZEROS}",
     f"t=+{NOW},v1={ZEROS}", f"t=१२३,v1={ZEROS}", "," * 2000, f"t={'9' * 5000},v1={ZEROS}", f"t={NOW}\n,v1={ZEROS}"],
)  # fmt: skip
def test_a_garbled_header_is_refused(header: str) -> None:
    with pytest.raises(Forged):
        check(header)


def test_the_same_request_has_the_same_digest_however_its_header_is_spelled() -> None:
    one = verify({SIGNATURE: f"t={NOW},v1={digest(BODY)}"}, BODY, "s3cret", NOW)
    other = verify({SIGNATURE: f"v1={'0' * 64}, v1={digest(BODY)} ,t={NOW}"}, BODY, "s3cret", NOW + 9)
    assert one == other


def test_a_replay_gets_the_first_answer_until_its_signature_is_too_old() -> None:
    replays = Replays()
    signed = verify({SIGNATURE: f"t={NOW},v1={digest(BODY)}"}, BODY, "s3cret", NOW)
    assert replays.answered(signed) is None
    replays.remember(signed, Answer(200, "x", "first"), NOW)
    assert replays.answered(signed) == Answer(200, "x", "first")


def test_a_full_memory_shortens_the_window_and_never_opens_it() -> None:
    replays = Replays(size=2)
    requests = []
    for i in range(4):
        body = f"CallId={i}".encode()
        requests.append(verify({SIGNATURE: f"t={NOW + i},v1={digest(body, at=NOW + i)}"}, body, "s3cret", NOW))
        assert replays.answered(requests[-1]) is None
        replays.remember(requests[-1], Answer(200, "x", str(i)), NOW)
    for forgotten in requests[:2]:
        with pytest.raises(Forged, match="remembered"):
            replays.answered(forgotten)
    assert [replays.answered(signed) for signed in requests[2:]] == [Answer(200, "x", "2"), Answer(200, "x", "3")]


def test_answers_to_requests_that_are_too_old_are_forgotten() -> None:
    replays = Replays()
    for i in range(100):
        body, at = f"CallId={i}".encode(), NOW + 10 * i
        signed = verify({SIGNATURE: f"t={at},v1={digest(body, at=at)}"}, body, "s3cret", at)
        replays.remember(signed, Answer(200, "x", ""), at)
    assert len(replays._answers) <= limits.REPLAY_S / 10 + 1


# ── Callback ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"CallId=CA1&From=%2B2547&To=%2B2548&CallStatus=ringing&Direction=inbound&Digits=12"),
        (FORM + "; charset=utf-8", b"call_id=CA1&from=%2B2547&to=%2B2548&status=Ringing&direction=inbound&digits=12&x=y"),
        ("application/json", b'{"CALLID":"CA1","From":"+2547","To":"+2548","Status":"ringing",'
         b'"Direction":"inbound","Digits":12}'),
        ("Application/JSON", b'{"kind":"call.started","data":{"call_id":"CA1","from":"+2547","to":"+2548","status":"ringing",'
         b'"direction":"inbound","digits":"12"}}'),
    ],
)  # fmt: skip
def test_a_callback_is_read_in_any_spelling(kind: str, body: bytes) -> None:
    assert parse_callback(kind, body) == Callback("CA1", "+2547", "+2548", "ringing", "inbound", "12")


@pytest.mark.parametrize("status", ["completed", "no_answer", "no-answer", "Canceled", "busy", "failed"])
def test_a_call_that_is_over_is_known_as_such(status: str) -> None:
    assert parse_callback(FORM, f"CallId=1&Status={status}".encode()).ended
    assert not parse_callback(FORM, b"CallId=1&Status=answered").ended


@pytest.mark.parametrize(
    ("body", "unreached"),
    [
        ("DialCallStatus=no-answer&CallStatus=in-progress", True), ("dial_call_status=busy", True), ("DialStatus=Failed", True),
        ("CallStatus=no_answer", True), ("CallStatus=busy", True), ("CallStatus=failed", True),
        ("DialCallStatus=completed&CallStatus=in-progress", False), ("DialCallStatus=answered", False),
        ("DialCallStatus=no-answer&CallStatus=completed", False), ("DialCallStatus=canceled", False),
        ("CallStatus=in-progress", False), ("CallStatus=completed", False), ("CallStatus=canceled", False), ("", False),
    ],
)  # fmt: skip
def test_after_a_dial_only_a_word_that_says_so_means_that_nobody_took_it(body: str, unreached: bool) -> None:
    assert parse_callback(FORM, f"CallId=1&{body}".encode()).unreached is unreached


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"", 415), ("", b"CallId=1", 415), ("text/xml", b"<a/>", 415),
        (FORM, b"", 400), (FORM, b"From=1", 400), (FORM, b"CallId=", 400), (FORM, b"CallId=" + b"x" * 129, 400),
        (FORM, b"CallId=a%00b", 400), (FORM, b"CallId=%C3%A9", 400), (FORM, b"\xff=1", 400),
        (FORM, b"CallId=1" + b"&a=1" * limits.FORM_FIELDS, 400),
        ("application/json", b"{", 400), ("application/json", b"[]", 400), ("application/json", b"[" * 60_000, 400),
        ("application/json", b'{"call_id":{"a":1}}', 400), ("application/json", b'{"call_id":true}', 400),
        ("application/json", b"\xff", 400), ("application/json", b'{"call_id":' + b"9" * 5000 + b"}", 400),
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_refused_by_its_status(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(BadCallback) as caught:
        parse_callback(kind, body)
    assert caught.value.status == status


def test_no_field_holds_a_control_character_or_is_long() -> None:
    callback = parse_callback(FORM, b"CallId=1&From=a%0d%0aSet-Cookie:%1b[31m%E2%80%AE&To=" + b"9" * 5000)
    assert callback.from_ == "a  Set-Cookie: [31m"
    assert len(callback.to) == 256


# ── Documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stream_document_streams_and_then_asks_again() -> None:
    root = ElementTree.fromstring(stream_document("wss://h/m/t", 16000, 'tok<&">', "https://h/v", "inbound_track"))
    stream, redirect = root
    assert (root.tag, stream.tag, redirect.tag) == ("Response", "Stream", "Redirect")
    assert stream.attrib == {
        "name": "agentd",
        "url": "wss://h/m/t",
        "track": "inbound_track",
        "outputSamplingRate": "16000",
        "openMetadata": 'tok<&">',
    }
    assert (redirect.attrib, redirect.text) == ({"method": "POST"}, "https://h/v")


def test_the_other_documents() -> None:
    say, hangup = ElementTree.fromstring(say_document("Busy & sorry"))
    assert (say.tag, say.text, hangup.tag) == ("Say", "Busy & sorry", "Hangup")
    say, dial, redirect = ElementTree.fromstring(dial_document("One moment.", "+2547", "+2548", 30.0, "https://h/d"))
    assert (say.text, dial.text, dial.attrib) == ("One moment.", "+2547", {"timeout": "30", "callerId": "+2548"})
    assert (redirect.tag, redirect.attrib, redirect.text) == ("Redirect", {"method": "POST"}, "https://h/d")
    dial, _ = ElementTree.fromstring(dial_document("", "+2547", "", 30.0, "https://h/d"))
    assert dial.attrib == {"timeout": "30"}
    [hangup] = ElementTree.fromstring(hangup_document())
    assert hangup.tag == "Hangup"


@pytest.mark.parametrize(
    "evil", ["</Say><Dial>+882</Dial>", "]]>", "\x00\x1b\r\n", "&amp;", "\ud800", "\ufffe", '" track="x', "<!--"]
)
def test_no_text_escapes_its_element(evil: str) -> None:
    root = ElementTree.fromstring(dial_document(evil, evil, evil, 30.0, evil).encode())
    assert {verb.tag for verb in root} <= {"Say", "Dial", "Redirect"}
    assert all(len(verb) == 0 for verb in root)
    for text in (*(verb.text or "" for verb in root), *(value for verb in root for value in verb.attrib.values())):
        assert not any(ord(char) < 32 for char in text)


def test_the_subprotocol_is_chosen_exactly_as_offered() -> None:
    assert choose_subprotocol(["x", "audio.jambonz.org", "audio.drachtio.org"]) == "audio.jambonz.org"
    assert choose_subprotocol(["audio.drachtio.org"]) == "audio.drachtio.org"
    assert choose_subprotocol(["Audio.Drachtio.Org", ""]) is None
