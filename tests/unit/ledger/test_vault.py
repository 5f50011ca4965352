"""Without the key nothing is read; with it everything; and a key is made where nobody set one."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentd.errors import OperatorError
from agentd.ledger.storage.vault import Vault, open_vault
from tests.unit.ledger.keeping import KEY, OTHER_KEY


def test_what_is_sealed_is_opened_by_its_key_and_by_no_other() -> None:
    sealed = Vault([KEY]).seal("Jane Doe, Zürich")
    assert "Jane" not in sealed
    assert Vault([KEY]).open(sealed) == "Jane Doe, Zürich"
    with pytest.raises(OperatorError, match="key that is not given"):
        Vault([OTHER_KEY]).open(sealed)


def test_the_first_of_several_keys_seals_and_all_open() -> None:
    both = Vault([OTHER_KEY, KEY])
    assert both.open(Vault([KEY]).seal("x")) == "x"
    assert Vault([OTHER_KEY]).open(both.seal("x")) == "x"
    assert both.name == Vault([OTHER_KEY]).name
    assert both.names == {Vault([KEY]).name, both.name}


def test_a_digest_is_told_by_the_key_alone() -> None:
    assert Vault([KEY]).digest("x") == Vault([KEY]).digest("x") != Vault([OTHER_KEY]).digest("x")
    assert Vault([KEY]).digest("x") != Vault([KEY]).digest("y")


def test_what_was_tampered_with_is_not_opened() -> None:
    sealed = Vault([KEY]).seal("x")
    with pytest.raises(OperatorError, match="tampered"):
        Vault([KEY]).open(sealed[:-4] + "AAA=")


@pytest.mark.parametrize("keys", ["hunter2", "A" * 43, KEY + ",hunter2", ",", "ключ"])
def test_what_is_no_key_is_refused_without_its_text(keys: str) -> None:
    with pytest.raises(OperatorError, match="openssl rand -base64 32") as caught:
        open_vault(keys, None)
    assert keys not in f"{caught.value!r}{caught.value}" or keys == ","


def test_keys_may_stand_behind_one_another_with_commas() -> None:
    assert open_vault(f" {KEY} , {OTHER_KEY}", None).names == Vault([KEY, OTHER_KEY]).names


def test_a_shared_ledger_needs_a_key_that_is_set() -> None:
    with pytest.raises(OperatorError, match=r"ledger\.key.*needs a key.*openssl rand -base64 32"):
        open_vault("", None)


def test_a_key_is_made_once_beside_the_file_for_its_owner_alone(tmp_path: Path) -> None:
    beside = tmp_path / "calls" / "ledger.sqlite"
    made = open_vault("", beside)
    (path,) = beside.parent.iterdir()
    assert path.name == "ledger.sqlite.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault("", beside).open(made.seal("x")) == "x"


def test_two_processes_that_make_a_key_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: open_vault("", tmp_path / "ledger.sqlite"), range(8)))
    assert len({vault.name for vault in vaults}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite.key"]


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite.key").mkdir()
    with pytest.raises(OperatorError, match=r"ledger\.sqlite\.key: the ledger's key cannot be read"):
        open_vault("", tmp_path / "ledger.sqlite")
    (tmp_path / "binary.key").write_bytes(b"\xff" * 44)
    with pytest.raises(OperatorError, match=r"binary\.key.*it is no text"):
        open_vault("", tmp_path / "binary")
