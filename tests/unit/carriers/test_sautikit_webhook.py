"""The voice webhook: signature first, then the desk, then a document."""

from __future__ import annotations

import hmac
from xml.etree import ElementTree

import pytest

from agentd.carriers.sautikit.control import SIGNATURE, Callback
from agentd.carriers.sautikit.webhook import (
    BUSY,
    DIALLED_PATH,
    MEDIA_PATH,
    UNREACHED,
    VOICE_PATH,
    Continue,
    Dial,
    Hangup,
    NextStep,
    VoiceWebhook,
)
from agentd.carriers.tokens import BadToken, Claim, Tokens
from agentd.errors import SettingsError

NOW = 1_800_000_000.0
SECRET = "s3cret"


class FakeDesk:
    def __init__(self) -> None:
        self.full = False
        self.admitted: list[Callback] = []
        self.steps: dict[str, NextStep] = {}
        self.over: list[str] = []
        self.after_dial: NextStep = Continue()

    def admit(self, callback: Callback) -> str:
        if self.full:
            return BUSY
        self.admitted.append(callback)
        self.steps[callback.call_id] = Continue()
        return ""

    def next_step(self, call_id: str) -> NextStep | None:
        return self.steps.get(call_id)

    def unreached(self, call_id: str) -> NextStep:
        return self.after_dial

    def ended(self, call_id: str) -> None:
        self.over.append(call_id)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(bytes(32), lambda: NOW)


@pytest.fixture
def webhook(desk: FakeDesk, tokens: Tokens) -> VoiceWebhook:
    return VoiceWebhook(SECRET, "https://agent.example.com/", 8000, "inbound_track", tokens, desk)


async def ask(
    webhook: VoiceWebhook,
    body: str = "CallId=CA1&From=%2B2547&To=%2B2548",
    at: float = NOW,
    secret: str = SECRET,
    *,
    dialled: bool = False,
) -> tuple[int, str]:
    digest = hmac.new(secret.encode(), f"{body}.{at:.0f}".encode(), "sha256").hexdigest()
    headers = {SIGNATURE: f"t={at:.0f},v1={digest}", "content-type": "application/x-www-form-urlencoded"}
    status, kind, text = await webhook.handle("POST", headers, body.encode(), NOW, dialled=dialled)
    assert kind == "application/xml" or not text.startswith("<")
    return status, text


def verbs(document: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(document))


async def test_a_new_call_gets_a_stream_with_one_token_in_url_and_metadata(
    webhook: VoiceWebhook, desk: FakeDesk, tokens: Tokens
) -> None:
    status, document = await ask(webhook)
    assert status == 200
    stream, redirect = verbs(document)
    token = stream.attrib["openMetadata"]
    assert stream.attrib["url"] == f"wss://agent.example.com{MEDIA_PATH}{token}"
    assert redirect.text == f"https://agent.example.com{VOICE_PATH}"
    assert desk.admitted == [Callback("CA1", "+2547", "+2548")]
    assert tokens.redeem(token) == Claim("CA1", "sautikit")


async def test_a_full_daemon_says_so_and_hangs_up(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    desk.full = True
    say, hangup = verbs((await ask(webhook))[1])
    assert (say.text, hangup.tag) == (BUSY, "Hangup")


async def test_asked_again_it_answers_what_the_call_decided(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    await ask(webhook)
    desk.steps["CA1"] = Dial("+2549", say="I am putting you through.", caller_id="+2548")
    say, dial, redirect = verbs((await ask(webhook, at=NOW + 1))[1])
    assert (say.text, dial.text, dial.attrib["callerId"]) == ("I am putting you through.", "+2549", "+2548")
    assert redirect.text == f"https://agent.example.com{DIALLED_PATH}"
    desk.steps["CA1"] = Hangup()
    assert [verb.tag for verb in verbs((await ask(webhook, at=NOW + 2))[1])] == ["Hangup"]
    assert len(desk.admitted) == 1


async def test_a_dial_that_nobody_took_is_followed_by_what_the_desk_says(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    body = "CallId=CA1&CallStatus=in-progress&DialCallStatus=no-answer"
    assert [verb.tag for verb in verbs((await ask(webhook, body, dialled=True))[1])] == ["Stream", "Redirect"]
    desk.after_dial = Hangup(UNREACHED)
    say, hangup = verbs((await ask(webhook, body, NOW + 1, dialled=True))[1])
    assert (say.text, hangup.tag) == (UNREACHED, "Hangup")


async def test_a_dial_of_which_nothing_is_told_ends_the_call_and_is_never_dialled_again(
    webhook: VoiceWebhook, desk: FakeDesk
) -> None:
    desk.steps["CA1"] = Dial("+2549")
    for at, dial in enumerate(("", "&DialCallStatus=completed")):
        document = (await ask(webhook, f"CallId=CA1&CallStatus=in-progress{dial}", NOW + at, dialled=True))[1]
        assert [verb.tag for verb in verbs(document)] == ["Hangup"]


async def test_a_caller_who_hung_up_while_it_rang_is_gone(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    assert await ask(webhook, "CallId=CA1&CallStatus=completed&DialCallStatus=no-answer", dialled=True) == (200, "")
    assert desk.over == ["CA1"]


async def test_a_call_that_is_busy_is_over_where_nothing_was_dialled(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    assert await ask(webhook, "CallId=CA1&CallStatus=busy") == (200, "")
    assert desk.over == ["CA1"]


async def test_an_undecided_call_whose_stream_is_gone_gets_a_fresh_one(
    webhook: VoiceWebhook, desk: FakeDesk, tokens: Tokens
) -> None:
    first = verbs((await ask(webhook))[1])[0].attrib["openMetadata"]
    second = verbs((await ask(webhook, at=NOW + 1))[1])[0].attrib["openMetadata"]
    assert first != second
    assert tokens.redeem(first) == tokens.redeem(second)
    assert len(desk.admitted) == 1


async def test_a_replay_gets_the_first_answer_and_mints_nothing(webhook: VoiceWebhook, desk: FakeDesk, tokens: Tokens) -> None:
    first = await ask(webhook)
    desk.steps["CA1"] = Dial("+2549")
    assert [await ask(webhook) for _ in range(5)] == [first] * 5
    assert len(desk.admitted) == 1
    token = verbs(first[1])[0].attrib["openMetadata"]
    tokens.redeem(token)
    with pytest.raises(BadToken):
        tokens.redeem(verbs((await ask(webhook))[1])[0].attrib["openMetadata"])


async def test_the_end_of_a_call_is_heard_and_starts_nothing(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    assert await ask(webhook, "CallId=CA9&CallStatus=completed") == (200, "")
    assert desk.admitted == []
    assert desk.over == ["CA9"]


async def test_a_false_signature_learns_and_changes_nothing(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    status, text = await ask(webhook, secret="another")
    assert status == 401
    assert SECRET not in text
    assert desk.admitted == []
    assert (await webhook.handle("POST", {}, b"CallId=1", NOW))[0] == 401
    assert (await webhook.handle("GET", {}, b"", NOW))[0] == 405


async def test_a_genuine_body_that_makes_no_sense_is_refused(webhook: VoiceWebhook, desk: FakeDesk) -> None:
    assert (await ask(webhook, "From=1"))[0] == 400
    assert desk.admitted == []


async def test_stream_events_are_heard(webhook: VoiceWebhook) -> None:
    assert (await webhook.stream_event())[0] == 200


@pytest.mark.parametrize("secret", ["", "  "])
def test_without_a_secret_nothing_starts(secret: str, desk: FakeDesk, tokens: Tokens) -> None:
    with pytest.raises(SettingsError, match="signing secret"):
        VoiceWebhook(secret, "https://h", 8000, "inbound_track", tokens, desk)


@pytest.mark.parametrize("url", ["", "agent.example.com", "ftp://h", "https://", "https://h/?a=b", "https://u:p@h"])
def test_an_address_that_no_carrier_can_call_is_refused(url: str, desk: FakeDesk, tokens: Tokens) -> None:
    with pytest.raises(SettingsError, match="public_url"):
        VoiceWebhook(SECRET, url, 8000, "inbound_track", tokens, desk)


async def test_a_plain_http_address_streams_over_ws_and_keeps_its_path(desk: FakeDesk, tokens: Tokens) -> None:
    webhook = VoiceWebhook(SECRET, "HTTP://127.0.0.1:8080/agent/", 8000, "inbound_track", tokens, desk)
    stream, redirect = verbs((await ask(webhook))[1])
    assert stream.attrib["url"].startswith(f"ws://127.0.0.1:8080/agent{MEDIA_PATH}")
    assert redirect.text == f"http://127.0.0.1:8080/agent{VOICE_PATH}"


async def test_a_wrong_secret_is_told_to_the_operator_once_a_minute_and_never_shown(
    webhook: VoiceWebhook, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert (await ask(webhook, secret="another"))[0] == 401
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "sautikit.secret" in warning
    assert SECRET not in warning
