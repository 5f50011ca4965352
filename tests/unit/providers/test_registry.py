"""Engines by their names; a name that is none ends in one sentence that says where it stands and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentd.errors import SettingsError
from agentd.offload import Inline
from agentd.providers import registry


def test_a_name_is_a_module_here_or_a_function_anywhere() -> None:
    assert registry.voice("tests.fakes.engines:voice", Inline()) is not None
    assert not registry.recognizer("tests.fakes.engines:recognizer", Inline(), 1).remote


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nope", "the voice 'nope' cannot be loaded (No module named 'agentd.providers.nope')."),
        ("no.such:voice", "the voice 'no.such:voice' cannot be loaded"),
        ("rules", "agentd.providers.rules offers no function voice."),
        ("tests.fakes.engines:nothing", "tests.fakes.engines offers no function nothing."),
        ("tests.fakes.engines:NAMES", "offers no function NAMES."),
    ],
)
def test_an_engine_that_does_not_exist_is_named_with_key_and_mend(name: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        registry.voice(name, Inline())
    assert says in str(caught.value)
    assert str(caught.value).startswith("engines.voice: ")
    assert "Mend: " in str(caught.value)


def test_a_module_with_a_typo_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine_with_typo.py").write_text("def voice(offload:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=r"engine_with_typo:voice' cannot be loaded .*never closed"):
        registry.voice("engine_with_typo:voice", Inline())


def test_a_recognizer_says_whether_it_is_remote() -> None:
    with pytest.raises(SettingsError, match="does not say whether it is remote"):
        registry.recognizer("tests.unit.providers.test_registry:silent_recognizer", Inline(), 1)


def silent_recognizer(offload: object, calls: int) -> object:
    return object()
