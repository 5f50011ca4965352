"""Whoever has not the secret, or has only what was sent before, gets nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Callable

import pytest

from agentd import limits
from agentd.carriers.sautikit.control import SIGNATURE, Callback, Forged, verify
from agentd.carriers.sautikit.webhook import Continue, NextStep, VoiceWebhook
from agentd.carriers.tokens import BadToken, Tokens

NOW = 1_800_000_000
SECRET = "whsec_1234567890abcdef"
TRIES = 100


def mac(body: bytes, at: int | str = NOW, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body + b"." + str(at).encode(), "sha256").hexdigest()


Request = tuple[bytes, str]
"""Body and signature header."""


def genuine(rng: random.Random) -> Request:
    body = f"CallId=CA{rng.getrandbits(64):x}&From=%2B2547{rng.randint(0, 10**8)}&CallStatus=ringing".encode()
    return body, f"t={NOW},v1={mac(body)}"


def edited(data: bytes, rng: random.Random) -> bytes:
    """`data` with one byte changed, inserted or deleted, and surely another than before."""
    place = rng.randrange(len(data))
    before, after = data[:place], data[place + 1 :]
    changed = before + bytes([data[place] ^ (1 << rng.randrange(7))]) + after
    longer = before + bytes([rng.randrange(33, 127)]) + data[place:]
    new = rng.choice((changed, longer, before + after))
    return new if new != data else data + b"x"


def body_changed(rng: random.Random) -> Request:
    body, header = genuine(rng)
    return edited(body, rng), header


def digest_changed(rng: random.Random) -> Request:
    body, header = genuine(rng)
    time, _, digest = header.partition(",v1=")
    return body, f"{time},v1={edited(digest.encode(), rng).decode()}"


def time_changed(rng: random.Random) -> Request:
    body, _ = genuine(rng)
    return body, f"t={NOW + rng.choice((-1, 1)) * rng.randint(1, 290)},v1={mac(body)}"


def time_spelled_otherwise(rng: random.Random) -> Request:
    body, _ = genuine(rng)
    spelling = rng.choice((f"0{NOW}", f"+{NOW}", f"{NOW}.0", f"{NOW}_0", f"{NOW} 0", "", f"{NOW:x}", f"-{NOW}", f"{NOW}e0"))
    return body, f"t={spelling},v1={mac(body)}"


def too_old_or_too_new(rng: random.Random) -> Request:
    body, _ = genuine(rng)
    at = NOW + rng.choice((-1, 1)) * rng.randint(int(limits.REPLAY_S) + 1, 10**9)
    return body, f"t={at},v1={mac(body, at)}"


def anothers_secret(rng: random.Random) -> Request:
    body, _ = genuine(rng)
    secret = rng.choice(("", SECRET[:-1], SECRET.upper(), SECRET + " ", f"{rng.getrandbits(128):x}"))
    return body, f"t={NOW},v1={mac(body, secret=secret)}"


def another_construction(rng: random.Random) -> Request:
    body, _ = genuine(rng)
    key, time = SECRET.encode(), str(NOW).encode()
    digest = rng.choice(
        (
            hmac.new(key, time + b"." + body, "sha256").hexdigest(),
            hmac.new(key, body, "sha256").hexdigest(),
            hmac.new(key, body + time, "sha256").hexdigest(),
            hmac.new(key, body + b"." + time, "sha1").hexdigest(),
            hmac.new(key, body + b"." + time, "sha512").hexdigest(),
            hashlib.sha256(key + body + b"." + time).hexdigest(),
            base64.b64encode(hmac.digest(key, body + b"." + time, "sha256")).decode(),
        )
    )
    return body, f"t={NOW},v1={digest}"


def header_mangled(rng: random.Random) -> Request:
    body, header = genuine(rng)
    digest = mac(body)
    return body, rng.choice(
        (
            "", header[: rng.randrange(1, len(header))], digest, f"v1={digest}", f"t={NOW}", f"t={NOW},v1=",
            f"t={NOW},v2={digest}",
            f"t={NOW},V1={digest}", f"T={NOW},v1={digest}", f"t={NOW};v1={digest}", f"t={NOW},t={NOW},v1={digest}",
            f"t={NOW},v1={digest.upper()}", f"t={NOW},v1={digest},v1=\u00e9", f"t={NOW},v1=0x{digest}",
            f"t={NOW},v1={digest}" + " " * 2000,
        )
    )  # fmt: skip


def moved_boundary(rng: random.Random) -> Request:
    """The same signed bytes, cut elsewhere between body and time."""
    body, _ = genuine(rng)
    longer = body + b"." + str(rng.randint(1, 999)).encode()
    digest = mac(longer)
    return body, f"t={longer.rpartition(b'.')[2].decode()}.{NOW},v1={digest}"


FAMILIES = [body_changed, digest_changed, time_changed, time_spelled_otherwise, too_old_or_too_new, anothers_secret,
            another_construction, header_mangled, moved_boundary]  # fmt: skip


class NoDesk:
    """A desk that nothing may reach."""

    def admit(self, callback: Callback) -> str:
        raise AssertionError("a forged request was let in")

    def next_step(self, call_id: str) -> NextStep | None:
        raise AssertionError("a forged request was let in")


@pytest.mark.parametrize("forge", FAMILIES)
async def test_no_forged_signature_is_accepted(forge: Callable[[random.Random], Request]) -> None:
    rng = random.Random(forge.__name__)
    webhook = VoiceWebhook(SECRET, "https://h", 8000, "inbound_track", Tokens(bytes(32), lambda: NOW), NoDesk())
    for _ in range(TRIES):
        body, header = forge(rng)
        with pytest.raises(Forged):
            verify({SIGNATURE: header}, body, SECRET, NOW)
        headers = {SIGNATURE: header, "content-type": "application/x-www-form-urlencoded"}
        status, _, text = await webhook.handle("POST", headers, body, NOW)
        assert status == 401
        assert mac(body) not in text


def test_the_genuine_ones_are_accepted() -> None:
    rng = random.Random(1)
    for _ in range(TRIES):
        body, header = genuine(rng)
        verify({SIGNATURE: header}, body, SECRET, NOW)


class CountingDesk:
    def __init__(self) -> None:
        self.admitted: list[str] = []

    def admit(self, callback: Callback) -> str:
        self.admitted.append(callback.call_id)
        return ""

    def next_step(self, call_id: str) -> NextStep | None:
        return Continue() if call_id in self.admitted else None


async def test_a_captured_webhook_gets_the_first_answer_in_any_spelling_of_its_header() -> None:
    rng = random.Random(3)
    desk = CountingDesk()
    webhook = VoiceWebhook(SECRET, "https://h", 8000, "inbound_track", Tokens(bytes(32), lambda: NOW), desk)
    for n in range(1, TRIES + 1):
        body, header = genuine(rng)
        time, digest = header.split(",")
        answers = {
            await webhook.handle("POST", {SIGNATURE: spelling, "content-type": kind}, body, NOW + later)
            for spelling in (header, f"{digest},{time}", f" {time} , v0=x, {digest}", f"{time},v1={'0' * 64},{digest}")
            for kind in ("application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=x")
            for later in (0, limits.REPLAY_S)
        }
        assert len(answers) == 1
        assert len(desk.admitted) == n


# ── Tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_token_but_a_fresh_one_of_ours_gets_anything() -> None:
    rng = random.Random(4)
    clock = [float(NOW)]
    ours, theirs = Tokens(bytes(32), lambda: clock[0]), Tokens(bytes(31) + b"x", lambda: clock[0])
    outcomes: dict[str, int] = {}

    def refused(token: str) -> None:
        with pytest.raises(BadToken) as caught:
            ours.redeem(token)
        outcomes[caught.value.reason] = outcomes.get(caught.value.reason, 0) + 1

    for _ in range(TRIES):
        token = ours.mint("CA1", "sautikit")
        payload, _, signature = token.partition(".")
        for garbled in (
            "",
            edited(token.encode(), rng).decode(),
            token[: rng.randrange(len(token))],
            token + "=",
            signature + "." + payload,
        ):
            refused(garbled)
        refused(theirs.mint("CA1", "sautikit"))
        refused(payload + "." + theirs.mint("CA1", "sautikit").partition(".")[2])
        refused(payload + "." + ours.mint("CA2", "sautikit").partition(".")[2])
        assert ours.redeem(token).call_id == "CA1"
        refused(token)
        old = ours.mint("CA1", "sautikit")
        clock[0] += limits.TOKEN_S
        refused(old)
    assert outcomes["used"] == TRIES
    assert outcomes["expired"] == TRIES
    assert sum(outcomes.values()) == 10 * TRIES
