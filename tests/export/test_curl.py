"""Curl lines: what the shell splits is what was recorded."""

from __future__ import annotations

import base64
import shlex
import subprocess
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.curl import curl_line

TOKEN = b"redacted-0123456789ab"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(alphabet=st.characters(exclude_categories=["C", "Z"], include_characters=" \n'\"\\$`!"), min_size=1, max_size=40)
)
def test_a_text_body_and_a_header_survive_the_shell(make: Any, text: str) -> None:
    value = text.replace("\n", " ").encode().decode("latin-1")
    value = "".join(char for char in value if char >= " " and not "\x7f" <= char <= "\x9f").strip()
    line = curl_line(
        make.example(
            make.answer(),
            make.answer(),
            route="POST /x/",
            target=b"/x/",
            headers=((b"X-Value", value.encode("latin-1")),),
            body=text.encode(),
        )
    )

    words = shlex.split(line)

    assert words[0] == "curl"
    assert words[words.index("--data-raw") + 1] == text
    assert words[words.index("-H") + 1] == (f"X-Value: {value}" if value else "X-Value;")
    assert words[-1] == "http://127.0.0.1:8002/x/"


def test_bytes_that_are_no_text_go_through_base64(make: Any) -> None:
    line = curl_line(make.example(make.answer(), make.answer(), route="POST /x/", body=b"\0\xff'"))

    pipe, _, rest = line.partition(" | curl ")
    done = subprocess.run(["sh", "-c", pipe], capture_output=True, timeout=10, check=True)
    assert done.stdout == b"\0\xff'"
    assert base64.b64encode(b"\0\xff'").decode() in pipe
    assert "--data-binary @-" in rest


def test_a_secret_is_a_variable_that_the_shell_fills_in(make: Any) -> None:
    line = curl_line(
        make.example(
            make.answer(), make.answer(), headers=((b"Authorization", b"Bearer " + TOKEN), (b"Cookie", b"a='b; s=" + TOKEN))
        )
    )

    assert "redacted-" not in line
    shown = line.replace("curl ", "printf '%s\\n' ", 1)
    done = subprocess.run(
        ["sh", "-c", shown], env={"PARITYGATE_AUTH_1": "it's; $(id)"}, capture_output=True, text=True, timeout=10, check=True
    )
    assert "Authorization: Bearer it's; $(id)" in done.stdout.splitlines()
    assert "Cookie: a='b; s=it's; $(id)" in done.stdout.splitlines()


def test_a_target_can_never_become_an_option_or_another_host(make: Any) -> None:
    words = shlex.split(curl_line(make.example(make.answer(), make.answer(), target=b"--config /etc/passwd\n@evil.example/")))

    assert words[-1] == "http://127.0.0.1:8002/--config%20/etc/passwd%0A@evil.example/"
