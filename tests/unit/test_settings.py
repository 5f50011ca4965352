from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agentd.errors import SettingsError
from agentd.settings import MASK, Settings, load, show

PUBLIC = 'public_url = "https://voice.example.com"\n'


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **overrides: object) -> Settings:
    path = tmp_path / "agentd.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ or {}, {key.replace("__", "."): value for key, value in overrides.items()})


def refused(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text, environ, **overrides)
    return str(caught.value)


def test_nothing_given_is_a_whole_set_of_settings() -> None:
    settings = load(None, {"PATH": "/bin", "HOME": "/"})
    assert (settings.server.host, settings.server.port, settings.calls.limit) == ("127.0.0.1", 8080, 20)
    assert settings.engines.recognizer == ("local",)
    assert settings.engines.thinker == ("rules",)
    assert settings.flow_for("+15550100") == "receptionist"


def test_the_later_source_wins_and_is_named(tmp_path: Path) -> None:
    text = "[server]\nport = 1\ndrain_s = 5\n[calls]\nlimit = 3\n"
    settings = read(tmp_path, text, {"AGENTD_SERVER_PORT": "2", "AGENTD_CALLS_LIMIT": "4"}, server__port=3)
    assert (settings.server.port, settings.calls.limit, settings.server.drain_s) == (3, 4, 5.0)
    assert settings.sources["server.port"] == "command line"
    assert settings.sources["calls.limit"] == "environment"
    assert settings.sources["server.drain_s"] == "file"
    assert "server.host" not in settings.sources


def test_the_environments_texts_become_values() -> None:
    environ = {
        "AGENTD_SAUTIKIT_CHANNELS": "2",
        "AGENTD_SAUTIKIT_RATE": "8000",
        "AGENTD_ENGINES_VOICE": "cartesia, my.voices:make",
        "AGENTD_TELEMETRY_CONTENT": "true",
        "AGENTD_SERVER_DRAIN_S": "2.5",
    }
    settings = load(None, environ)
    assert (settings.sautikit.channels, settings.sautikit.rate, settings.server.drain_s) == (2, 8000, 2.5)
    assert settings.engines.voice == ("cartesia", "my.voices:make")
    assert settings.telemetry.content is True


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[server]\nprot = 1\n", ["prot in [server]", "did you mean port?"]),
        ("[sever]\nport = 1\n", ["[sever]", "did you mean [server]?"]),
        ("[sever]\n", ["[sever]", "did you mean [server]?"]),
        ("port = 1\n", ["port stands outside", "put it under [server]"]),
        ("[calls]\nport = 1\n", ["port in [calls]", "put it under [server]"]),
        ("[server]\nport = 99999\n", ["server.port", "65535", "0 takes a free one"]),
        ("[server]\nport = true\n", ["server.port", "number"]),
        ("[server]\nport = 'x'\n", ["server.port", "integer"]),
        ("[server]\ndrain_s = inf\n", ["server.drain_s"]),
        ("[server]\ndrain_s = nan\n", ["server.drain_s"]),
        ("[calls]\nrecording = 'maybe'\n", ["calls.recording", "'flow', 'on' or 'off'"]),
        ("[calls]\nmax_s = 3601\n", ["calls.max_s", "3600"]),
        ("[calls]\nlimit = 0\n", ["calls.limit"]),
        ("[calls]\nretention_days = 0\n", ["calls.retention_days"]),
        ("[sautikit]\nchannels = 3\n", ["sautikit.channels", '"auto", 1 or 2']),
        ("[sautikit]\nrate = 44100\n", ["sautikit.rate"]),
        ("[engines]\nvoice = []\n", ["engines.voice"]),
        ("[engines]\nvoice = ['../evil']\n", ["engines.voice", "package.module:factory"]),
        ("[engines]\nvoice = [7]\n", ["engines.voice"]),
        ("[ledger]\nurl = 'mysql://host/ledger'\n", ["ledger.url", "sqlite:///path", "postgresql://"]),
        ("[ledger]\nurl = 'sqlite:///:memory:'\n", ["ledger.url", "SQLite file"]),
        ("[ledger]\nurl = 'postgresql://host'\n", ["ledger.url"]),
        ("[ledger]\nurl = 7\n", ["ledger.url"]),
        ("[ledger]\nerase_days = 0\n", ["ledger.erase_days"]),
        ("[ledger]\nlease_s = 0.5\n", ["ledger.lease_s", "1 to 60"]),
        ("[telemetry]\notlp_endpoint = 'collector:4318'\n", ["telemetry.otlp_endpoint", "http"]),
        ("[numbers]\nreception = 'x'\n", ['"reception" is no number', "+15550100"]),
        ("[numbers]\n'+15550100' = 'a'\n'15550100' = 'b'\n", ["there twice"]),
        ("[numbers]\n'+15550100' = ''\n", ["names no flow"]),
        ("[numbers]\n", ["numbers is empty"]),
        ("[server\n", ["not TOML", "line 1"]),
    ],
)
def test_a_wrong_line_is_refused_with_key_file_and_mend(tmp_path: Path, text: str, parts: list[str]) -> None:
    sentence = refused(tmp_path, text)
    for part in [*parts, "agentd.toml", "Mend:"]:
        assert part in sentence


@pytest.mark.parametrize(
    "url", ["ftp://x", "https:///a", "https://u:pw@x", "https://x?a=b", "https://x#", "https://x y", "https://x:99999", "//x"]
)
def test_an_address_that_no_carrier_could_use_is_refused(tmp_path: Path, url: str) -> None:
    sentence = refused(tmp_path, f"[server]\npublic_url = '{url}'\n")
    assert "server.public_url" in sentence
    assert url not in sentence


def test_a_public_address_loses_its_last_slash(tmp_path: Path) -> None:
    assert read(tmp_path, "[server]\npublic_url='https://x.example/agentd/'").server.public_url == "https://x.example/agentd"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "voice.internal"])
def test_listening_to_others_needs_a_public_address(tmp_path: Path, host: str) -> None:
    assert "public_url" in refused(tmp_path, f"[server]\nhost = '{host}'\n")
    assert read(tmp_path, f"[server]\nhost = '{host}'\n{PUBLIC}").server.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_loopback_needs_none(tmp_path: Path, host: str) -> None:
    assert read(tmp_path, f"[server]\nhost = '{host}'\n").server.public_url == ""


def test_an_unknown_variable_is_refused_without_its_value(tmp_path: Path) -> None:
    sentence = refused(tmp_path, "", {"AGENTD_SAUTIKIT_SECERT": "hunter2"})
    assert "did you mean AGENTD_SAUTIKIT_SECRET?" in sentence
    assert "hunter2" not in sentence


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    assert "AGENTD_SERVER_PORT" in refused(tmp_path, "", {"AGENTD_SERVER_PORT": "http"})


def test_an_unknown_override_is_refused(tmp_path: Path) -> None:
    assert "did you mean port?" in refused(tmp_path, "", server__prot=1)
    assert "[nothing]" in refused(tmp_path, "", nothing=1)


@pytest.mark.parametrize(
    "text",
    [
        "[sautikit]\nsecret = ['hunter2']\n",
        "[sautikit]\nsecret = 'hunter2\n",
        "[sautikit]\nsecert = 'hunter2'\n",
        "[sautikit]\nsecret_file = 'hunter2'\n",
        "sautikit = 'hunter2'\n",
        "[ledger]\nkey = ['hunter2']\n",
        "[ledger]\nurl = 'postgres://me:hunter2@host/ledger'\n",
    ],
)
def test_no_error_holds_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


def test_a_secret_prints_as_bullets_wherever_it_is_printed(tmp_path: Path) -> None:
    settings = read(tmp_path, "[sautikit]\nsecret = 'hunter2'\n")
    assert settings.sautikit.secret.get_secret_value() == "hunter2"
    for text in (repr(settings), str(settings.sautikit), f"{settings.sautikit.secret}", show(settings)):
        assert "hunter2" not in text
        assert MASK in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@db.example:5432/ledger", f"postgresql://me:{MASK}@db.example:5432/ledger"),
        ("postgresql://me:hunter2@x@db/ledger?sslmode=require", f"postgresql://me:{MASK}@db/ledger?{MASK}"),
        ("postgresql://db/ledger?user=me&password=hunter2", f"postgresql://db/ledger?{MASK}"),
        ("postgresql:///ledger", "postgresql:///ledger"),
        ("sqlite:////var/lib/agentd/ledger.sqlite", "sqlite:////var/lib/agentd/ledger.sqlite"),
    ],
)
def test_a_databases_address_is_shown_without_its_password(tmp_path: Path, url: str, shown: str) -> None:
    settings = read(tmp_path, f"[ledger]\nurl = '{url}'\n")
    assert settings.ledger.url.get_secret_value() == url
    assert f'url = "{shown}"  # file' in show(settings)
    assert "hunter2" not in f"{settings!r} {settings.ledger.url} {show(settings)}"


def test_the_mask_of_a_password_is_no_password(tmp_path: Path) -> None:
    assert "ledger.url" in refused(tmp_path, f"[ledger]\nurl = 'postgresql://me:{MASK}@db/ledger'\n")


def test_the_ledgers_key_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key\n")
    settings = read(tmp_path, f"[ledger]\nkey_file = '{tmp_path}/key'\n")
    assert settings.ledger.key.get_secret_value() == "a-key"
    assert "ledger.key_file" in refused(tmp_path, "[ledger]\nkey_file = '/nowhere'\n")
    assert "key and key_file are both" in refused(tmp_path, f"[ledger]\nkey = 'a'\nkey_file = '{tmp_path}/key'\n")


def test_the_secret_of_what_leaves_after_a_call_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    settings = read(tmp_path, f"[after]\nsecret_file = '{tmp_path}/key'\n")
    assert settings.after.secret.get_secret_value() == "hunter2"
    assert "hunter2" not in show(settings)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    settings = read(tmp_path, f"[sautikit]\nsecret_file = '{tmp_path}/key'\n")
    assert settings.sautikit.secret.get_secret_value() == "hunter2"
    assert "hunter2" not in show(settings)
    (tmp_path / "key").write_text("\n")
    assert "secret_file" in refused(tmp_path, f"[sautikit]\nsecret_file = '{tmp_path}/key'\n")


def test_the_two_spellings_of_a_secret_exclude_each_other_in_one_place_and_the_later_place_wins(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file")
    both = f"[sautikit]\nsecret = 'a'\nsecret_file = '{tmp_path}/key'\n"
    assert "keep one" in refused(tmp_path, both)
    settings = read(tmp_path, f"[sautikit]\nsecret_file = '{tmp_path}/key'\n", {"AGENTD_SAUTIKIT_SECRET": "from-environment"})
    assert settings.sautikit.secret.get_secret_value() == "from-environment"
    settings = read(tmp_path, "[sautikit]\nsecret = 'a'\n", {"AGENTD_SAUTIKIT_SECRET_FILE": f"{tmp_path}/key"})
    assert settings.sautikit.secret.get_secret_value() == "from-file"


def test_the_mask_is_no_secret(tmp_path: Path) -> None:
    assert "mask" in refused(tmp_path, f"[sautikit]\nsecret = '{MASK}'\n")


def test_what_is_shown_is_toml_that_gives_the_same_settings(tmp_path: Path) -> None:
    text = f"""
    [server]
    host = "0.0.0.0"
    {PUBLIC}
    [numbers]
    "+15550100" = 'C:\\flows\\"acme".py'
    "*" = "./flows/Zahnärzte\\t.py"
    [engines]
    voice = ["local", "my.voices:make"]
    [ledger]
    url = "postgresql:///ledger"
    [after]
    call_url = "https://crm.example/calls"
    [sautikit]
    channels = 1
    """
    settings = read(tmp_path, text, {"AGENTD_TELEMETRY_SERVICE_NAME": 'a"b\x7f\\'})
    shown = show(settings)
    again = read(tmp_path, shown)
    for section in ("server", "calls", "numbers", "sautikit", "engines", "ledger", "after", "telemetry"):
        assert getattr(again, section) == getattr(settings, section)
    assert tomllib.loads(shown)["engines"]["voice"] == ["local", "my.voices:make"]
    assert 'host = "0.0.0.0"  # file' in shown
    assert "port = 8080  # default" in shown
    assert "# environment" in shown


def test_a_number_finds_its_flow_however_it_is_written(tmp_path: Path) -> None:
    settings = read(tmp_path, "[numbers]\n'+15550100' = 'booking'\n'*' = 'support'\n")
    for number in ("+15550100", "15550100", "+1 555-0100"):
        assert settings.flow_for(number) == "booking"
    for number in ("+15550101", "", "0100", "*"):
        assert settings.flow_for(number) == "support"


def test_an_unlisted_number_without_a_default_is_an_error_that_says_so(tmp_path: Path) -> None:
    settings = read(tmp_path, "[numbers]\n'+15550100' = 'booking'\n")
    with pytest.raises(SettingsError, match=r'a line "\*"'):
        settings.flow_for("+15550999")


def test_the_command_lines_flow_answers_every_number(tmp_path: Path) -> None:
    settings = read(tmp_path, "[numbers]\n'+15550100' = 'booking'\n", numbers={"*": "./mine.py"})
    assert settings.flow_for("+15550100") == "./mine.py"


def test_settings_cannot_be_changed() -> None:
    settings = load(None, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.numbers["*"] = "x"  # type: ignore[index]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    for name in ("absent.toml", "latin.toml", "."):
        with pytest.raises(SettingsError, match=r"Mend:"):
            load(tmp_path / name, {})
