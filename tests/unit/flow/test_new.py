"""What `agentd flow new` writes works at once, and takes the place of nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentd.errors import FlowError
from agentd.flow import load
from agentd.flow.check import warnings
from agentd.flow.cli import check_main, new_main
from agentd.flow.new import scaffold

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_other_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a flow makes the modules beside it known: here for one test only."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def run(folder: Path, *argv: str) -> str:
    """What a module's command prints, run in that folder."""
    done = subprocess.run(
        [sys.executable, "-m", *argv], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_a_new_flow_loads_without_a_warning(tmp_path: Path) -> None:
    flow, _ = scaffold("visit", tmp_path)
    loaded = load(flow)
    assert (loaded.name, [*warnings(loaded)]) == ("visit", [])
    assert [tool.kind for tool in loaded.tools.values()] == ["compensable"]


def test_its_tests_pass_whatever_it_is_called(tmp_path: Path) -> None:
    for name in ("visit", "booking", "call", "flow", "day"):
        scaffold(name, tmp_path)
    assert "10 passed" in run(tmp_path, "pytest", "-q")


def test_its_tests_fail_where_the_flow_does_not_keep_its_word(tmp_path: Path) -> None:
    flow, test = scaffold("visit", tmp_path)
    flow.write_text(flow.read_text().replace("BOOKED.pop(context.effect, None)", "pass"))
    printed = run(tmp_path, "pytest", "-q", test.name)
    assert "1 failed, 1 passed" in printed
    assert "assert booking.id not in flow.BOOKED" in printed


def test_it_is_written_as_this_project_writes(tmp_path: Path) -> None:
    flow, test = scaffold("visit", tmp_path)
    config = ["--config", str(ROOT / "pyproject.toml")]
    assert "All checks passed!" in run(tmp_path, "ruff", "check", *config, flow.name, test.name)
    assert "2 files already formatted" in run(tmp_path, "ruff", "format", "--check", *config, ".")


@pytest.mark.parametrize(
    ("name", "what", "mend"),
    [
        ("front-desk", "its name is no module's", "front_desk"),
        ("9lives", "its name is no module's", "front_desk"),
        ("class", "its name is no module's", "front_desk"),
        ("_mine", "its name is no module's", "front_desk"),
        ("Visit", "its name is no module's", "small letters"),
        ("../visit", "its name is no module's", "small letters"),
        ("", "its name is no module's", "small letters"),
        ("test_visit", "its name is a test's", "without test_"),
        ("json", "another module of its name", "my_json"),
        ("agentd", "another module of its name", "my_agentd"),
        ("receptionist", "another module of its name", "my_receptionist"),
    ],
)
def test_a_name_that_will_not_do_is_refused_and_nothing_is_written(name: str, what: str, mend: str, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=what) as refused:
        scaffold(name, tmp_path / "here")
    assert f"flow {name!r}" in str(refused.value)
    assert mend in refused.value.mend
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("there", ["visit.py", "test_visit.py"])
def test_nothing_is_overwritten(there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / there).write_text("mine")
    assert new_main("visit", tmp_path) == 1
    assert f"{tmp_path / there}: there is such a file. Mend: choose another name" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there, "mine")]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert new_main("visit", tmp_path / "file" / "folder") == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"{tmp_path / 'file' / 'folder'}: it cannot be written (")
    assert (printed.count("\n"), "Mend: choose another --dir" in printed) == (1, True)


def test_what_comes_next_can_be_typed_as_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for called, agentd, python in [
        (".venv/bin/agentd", ".venv/bin/agentd", ".venv/bin/python"),
        (f"{tmp_path}/.venv/bin/agentd", ".venv/bin/agentd", ".venv/bin/python"),
        ("/opt/agentd/__main__.py", "python -m agentd", "python"),
    ]:
        monkeypatch.setattr(sys, "argv", [called])
        assert new_main(f"visit_{len(agentd)}_{len(called)}", Path("mine")) == 0
        printed = capsys.readouterr().out
        assert f"  {agentd} flow check mine/visit_" in printed
        assert f"  {agentd} flow chat mine/visit_" in printed
        assert f"  {python} -m pytest mine/test_visit_" in printed


def test_a_flow_in_this_folder_is_found_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scaffold("visit", Path())
    assert check_main(["visit"]) == 0
    assert capsys.readouterr().out.startswith("visit (visit.py): 3 states")
