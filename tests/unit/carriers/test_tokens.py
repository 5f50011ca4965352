"""Media tokens: one use, one call, one minute."""

from __future__ import annotations

import json

import pytest

from agentd import limits
from agentd.carriers import tokens as module
from agentd.carriers.tokens import BadToken, Claim, Tokens, carries
from agentd.errors import SettingsError

KEY = bytes(range(32))


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(KEY, clock)


def reason_of(tokens: Tokens, token: str) -> str:
    with pytest.raises(BadToken) as caught:
        tokens.redeem(token)
    assert caught.value.close_code == 1008
    return caught.value.reason


def test_a_token_gives_back_what_it_was_minted_for(tokens: Tokens) -> None:
    assert tokens.redeem(tokens.mint('CA-1 "é"', "sautikit")) == Claim('CA-1 "é"', "sautikit")


def test_a_token_is_safe_in_a_path(tokens: Tokens) -> None:
    token = tokens.mint("CA/../1?x=é&y#z", "sautikit")
    assert all(char.isascii() and (char.isalnum() or char in "-_.") for char in token)
    assert ".." not in token


def test_a_reused_token_gets_nothing(tokens: Tokens, clock: Clock) -> None:
    token = tokens.mint("CA1", "sautikit")
    tokens.redeem(token)
    assert reason_of(tokens, token) == "used"
    clock.now += limits.TOKEN_S - 0.001
    assert reason_of(tokens, token) == "used"


def test_two_tokens_for_one_call_are_two(tokens: Tokens) -> None:
    first, second = tokens.mint("CA1", "sautikit"), tokens.mint("CA1", "sautikit")
    assert first != second
    assert tokens.redeem(first) == tokens.redeem(second)


def test_an_old_token_gets_nothing(tokens: Tokens, clock: Clock) -> None:
    token = tokens.mint("CA1", "sautikit")
    clock.now += limits.TOKEN_S
    assert reason_of(tokens, token) == "expired"


def test_another_nodes_token_is_good_where_the_key_is_shared(tokens: Tokens, clock: Clock) -> None:
    assert Tokens(KEY, clock).redeem(tokens.mint("CA1", "sautikit")).call_id == "CA1"
    assert reason_of(Tokens(b"another key, long enough", clock), tokens.mint("CA1", "sautikit")) == "forged"


def test_each_token_has_one_spelling(tokens: Tokens) -> None:
    token = tokens.mint("CA1", "sautikit")
    payload, signature = token.split(".")
    for other in (
        f"{payload}=.{signature}",
        f"{payload}.{signature}=",
        f" {token}",
        f"{token}\n",
        f"{token}.",
        token.swapcase(),
    ):
        assert reason_of(tokens, other) in ("forged", "malformed")
    tokens.redeem(token)


@pytest.mark.parametrize("token", ["", ".", "a", "a.b", "é.é", "a" * 2000 + ".b", "../../etc/passwd", "\x00.\x00"])
def test_garbage_is_no_token(tokens: Tokens, token: str) -> None:
    assert reason_of(tokens, token) in ("malformed", "forged")


def test_used_tokens_are_forgotten_when_they_could_not_be_used_any_more(tokens: Tokens, clock: Clock) -> None:
    for _ in range(50):
        tokens.redeem(tokens.mint("CA1", "sautikit"))
    clock.now += limits.TOKEN_S
    tokens.redeem(tokens.mint("CA1", "sautikit"))
    assert len(tokens._used) == 1


def test_a_full_memory_lets_nobody_in(tokens: Tokens, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USED", 2)
    first = tokens.mint("CA1", "sautikit")
    tokens.redeem(first)
    tokens.redeem(tokens.mint("CA2", "sautikit"))
    assert reason_of(tokens, tokens.mint("CA3", "sautikit")) == "full"
    assert reason_of(tokens, first) == "used"
    clock.now += limits.TOKEN_S
    assert tokens.redeem(tokens.mint("CA4", "sautikit")).call_id == "CA4"


def test_a_short_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="random bytes"):
        Tokens(b"short", lambda: 0.0)


def test_the_metadata_must_show_the_same_token() -> None:
    assert carries("abc.def", "abc.def")
    assert carries(json.dumps({"callSid": "x", "token": "abc.def"}), "abc.def")
    for other in ("", "abc.de", "{", "{}", '{"token":5}', '{"token":"abc"}', '["abc.def"]', "{" * 60_000, "é", "\ud800"):
        assert not carries(other, "abc.def")
