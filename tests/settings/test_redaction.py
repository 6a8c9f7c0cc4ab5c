"""The redaction key has a life of its own, and the configuration's names reach the redactor."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from settings.load import SettingsError, load_settings
from settings.redaction import redaction_key, redactor_of
from traffic.message import Request

SIGNING = b"s" * 32


def made(folder: Path, text: str = "") -> Path:
    path = folder / "paritygate.toml"
    path.write_text(f"[redact]\n{text}\n", encoding="utf-8")
    return path


def test_key_is_not_the_signing_key_and_changes_with_its_version(tmp_path: Path) -> None:
    keys = [redaction_key(load_settings(made(tmp_path, f"key_version = {n}")), SIGNING) for n in (1, 1, 2)]
    assert keys[0] == keys[1]
    assert len({SIGNING, *keys}) == 3
    assert redaction_key(load_settings(made(tmp_path)), b"t" * 32) != keys[0]


def test_key_file_of_its_own_is_made_for_its_owner_and_makes_the_signing_key_irrelevant(tmp_path: Path) -> None:
    settings = load_settings(made(tmp_path, 'key_file = "keys/redaction.key"'))
    key = redaction_key(settings, SIGNING)
    file = tmp_path / "keys" / "redaction.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["redaction.key"]
    assert redaction_key(settings, b"t" * 32) == key
    file.unlink()
    assert redaction_key(settings, SIGNING) != key


def test_key_file_that_holds_no_key_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "r.key").write_text("hunter2", encoding="ascii")
    with pytest.raises(SettingsError, match="not a redaction key") as refused:
        redactor_of(load_settings(made(tmp_path, 'key_file = "r.key"')), SIGNING)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('values = ["cards"]', "'cards' is no kind of value, did you mean 'card'?"),
        ('values = ["zzz"]', "allowed: card, email, iban, jwt, pem, key, bearer"),
        ('json = ["$[["]', "no RFC 9535 path"),
        ('querys = ["x"]', "did you mean 'query'?"),
    ],
)
def test_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(made(tmp_path, text))
    assert said in str(refused.value)
    assert "[redact]" in str(refused.value)


def test_configured_names_reach_the_redactor(tmp_path: Path) -> None:
    text = 'headers = ["x-own"]\nquery = ["voucher", "a[own]"]\ncookies = ["basket"]\nvalues = ["card"]'
    redactor = redactor_of(load_settings(made(tmp_path, text)), SIGNING)
    kept = redactor.request(
        Request(
            "GET",
            b"/a?auth[voucher]=S1&%76oucher=S2&a%5Bown%5D=S3&b[own]=x&mail=ann@example.org",
            ((b"X-Own", b"S4"), (b"Cookie", b"theme=dark; basket=S5; sessionid=S6"), (b"Referer", b"http://h/?voucher=S7")),
            b'{"voucher": "kept"}',
        )
    )
    everything = b" ".join([kept.target, *(value for _, value in kept.headers)])
    assert not [secret for secret in (b"S1", b"S2", b"S3", b"S4", b"S5", b"S6", b"S7") if secret in everything]
    assert b"theme=dark" in everything
    assert b"b[own]=x&mail=ann@example.org" in kept.target
    assert kept.body == b'{"voucher": "kept"}'
