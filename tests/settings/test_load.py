"""paritygate.toml: defaults, precedence, and errors that say where and what."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings.load import SettingsError, load_settings


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write_config(text: str) -> Path:
        path = tmp_path / "paritygate.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_config


def test_units_are_read(write) -> None:  # type: ignore[no-untyped-def]
    settings = load_settings(write('[mirror]\ntimeout = "250ms"\nmax_body = "2MiB"\n'))
    assert (settings.mirror.timeout, settings.mirror.max_body) == (0.25, 2 * 1024 * 1024)


def test_relative_paths_are_relative_to_the_file(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings = load_settings(write(""))
    assert settings.channel_path == tmp_path / "paritygate.sock"
    assert settings.store_url == f"sqlite+aiosqlite:///{tmp_path}/paritygate.db"


def test_environment_wins_over_the_file_and_flags_win_over_both(write, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    path = write('[proxy]\nlisten = "127.0.0.1:1"\nadmin = "127.0.0.1:2"\n')
    monkeypatch.setenv("PARITYGATE_PROXY__LISTEN", "127.0.0.1:3")
    monkeypatch.setenv("PARITYGATE_PROXY__ADMIN", "127.0.0.1:4")

    settings = load_settings(path, {"proxy.admin": "127.0.0.1:5"})

    assert (settings.proxy.listen, settings.proxy.admin) == ("127.0.0.1:3", "127.0.0.1:5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[proxi]\nlisten = 1\n", "[proxi]: unknown key; did you mean 'proxy'?"),
        ("[mirror]\ntimout = 1\n", "[mirror] timout: unknown key; did you mean 'timeout'?"),
        ('[mirror]\ntimeout = "5x"\n', '[mirror] timeout: expected a duration such as 250ms, 5s, 10m, 24h or 30d, got "5x"'),
        ('[primary]\nurl = "ftp://x"\n', '[primary] url: expected http(s)://host:port with no path, got "ftp://x"'),
        ('[proxy]\nlisten = "8080"\n', '[proxy] listen: expected host:port, e.g. 127.0.0.1:8080, got "8080"'),
        ('[gate]\nprofile = "lax"\n', "[gate] profile: Input should be 'default', 'strict' or 'demo', got \"lax\""),
        ('[primary]\nurl = "http://a:1"\n[candidate]\nurl = "http://a:1"\n', "primary.url and candidate.url are the same"),
        ('[primary]\nurl = "http://127.0.0.1:8080"\n', "primary.url is the proxy's own address"),
        ('[[route]]\nmatch = "GET /"\nmirrr = "off"\n', "[route.0] mirrr: unknown key; did you mean 'mirror'?"),
        ("[mirror\n", "not valid TOML"),
    ],
)
def test_error_names_the_place_the_value_and_what_is_allowed(write, text: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    path = write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file; `paritygate init` writes one"):
        load_settings(tmp_path / "none.toml")


def test_misspelt_environment_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITYGATE_PROXI__LISTEN", "127.0.0.1:1")
    with pytest.raises(
        SettingsError, match=r"PARITYGATE_PROXI__LISTEN is no setting of Paritygate; did you mean PARITYGATE_PROXY__"
    ):
        load_settings()
