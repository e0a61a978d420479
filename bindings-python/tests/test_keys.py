"""Where keys come from, and the command that makes them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lockstep_oauth.__main__ import main
from lockstep_oauth.errors import ConfigurationError, MisuseError
from lockstep_oauth.keys import KEYS_FILE, is_loopback_http, load_keys, new_keys, rotated_keys

LIVE = "https://notes.example"
LOCAL = "http://127.0.0.1:8787"


def test_keys_come_from_the_keyword_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{from a file}")
    assert load_keys("{given}", {"LOCKSTEP_KEYS": "{other}"}, LIVE) == "{given}"
    assert load_keys(file, {}, LIVE) == "{from a file}"
    assert load_keys(None, {"LOCKSTEP_KEYS": "{text}"}, LIVE) == "{text}"
    assert load_keys(None, {"LOCKSTEP_KEYS_FILE": str(file)}, LIVE) == "{from a file}"


def test_a_live_issuer_without_keys_is_told_exactly_what_to_do(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="python -m lockstep_oauth keys new.*LOCKSTEP_KEYS.*LOCKSTEP_KEYS_FILE") as caught:
        load_keys(None, {}, LIVE)
    assert caught.value.field == "keys"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("keys", "env", "message"),
    [
        ("  ", {}, "empty"),
        (None, {"LOCKSTEP_KEYS": "a", "LOCKSTEP_KEYS_FILE": "b"}, "both"),
        (None, {"LOCKSTEP_KEYS_FILE": "/no/such/file"}, "LOCKSTEP_KEYS_FILE: /no/such/file cannot be read"),
        (Path("/no/such/file"), {}, "keys: /no/such/file cannot be read"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused(keys: Any, env: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_keys(keys, env, LOCAL)


def test_a_development_server_makes_a_private_file_once(tmp_path: Path, caplog: Any) -> None:
    first = load_keys(None, {}, LOCAL, beside=tmp_path / "oauth.db")
    file = tmp_path / KEYS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "version control" in caplog.text
    assert json.loads(first)["keys"][0]["secret"] not in caplog.text
    caplog.clear()
    assert load_keys(None, {}, LOCAL, beside=tmp_path / "oauth.db") == first
    assert caplog.text == ""
    assert [one.name for one in tmp_path.iterdir()] == [KEYS_FILE]


def test_many_that_start_at_once_agree_on_the_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        texts = set(pool.map(lambda _: load_keys(None, {}, LOCAL, beside=tmp_path / "oauth.db"), range(32)))
    assert len(texts) == 1


def test_a_directory_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no keys are configured, and .* cannot be made"):
        load_keys(None, {}, LOCAL, beside=tmp_path / "no" / "oauth.db")


@pytest.mark.parametrize("issuer", ["http://127.0.0.1", "http://localhost:8000/auth", "http://[::1]:1", "http://127.8.8.8"])
def test_plain_http_on_this_machine_is_development(issuer: str) -> None:
    assert is_loopback_http(issuer)


@pytest.mark.parametrize(
    "issuer", [LIVE, "https://127.0.0.1", "http://notes.example", "http://localhost.evil.example", "http://127.0.0.1.example", "http://10.0.0.1", "", "http://[", "http://127.1"]
)
def test_nothing_else_is(issuer: str) -> None:
    assert not is_loopback_http(issuer)


def test_a_rotated_ring_keeps_the_old_key_and_signs_later_with_the_new_one() -> None:
    first = new_keys()
    second = json.loads(rotated_keys(first, 600, 1000))
    assert second["keys"][0]["secret"] == json.loads(first)["keys"][0]["secret"]
    assert second["keys"][1]["signs_from"] - second["keys"][0]["signs_from"] in range(599, 610)
    assert second["keys"][0]["verifies_until"] == second["keys"][1]["signs_from"] + 1000
    with pytest.raises(ConfigurationError):
        rotated_keys("nonsense")


def test_the_command_makes_shows_and_rotates(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "keys.json"
    assert main(["keys", "new", "--out", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    assert main(["keys", "new", "--out", str(file)]) == 1, "a file is never overwritten"
    assert file.read_text() == before
    assert main(["keys", "rotate", str(file), "--in-place", "--lead-seconds", "60"]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(json.loads(file.read_text())["keys"]) == 2
    capsys.readouterr()
    assert main(["keys", "show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 4
    ring = json.loads(file.read_text())
    assert "signs" in shown
    assert "verifies" in shown
    for secret in [*(key["secret"] for key in ring["keys"]), *(key["jwk"]["d"] for key in ring["jwt"])]:
        assert secret not in shown
    assert main(["keys", "rotate", str(file)]) == 0
    assert len(json.loads(capsys.readouterr().out)["keys"]) == 3


def test_only_the_newest_key_that_may_sign_is_shown_as_signing(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "keys.json"
    main(["keys", "new", "--out", str(file)])
    main(["keys", "rotate", str(file), "--in-place"])
    main(["keys", "rotate", str(file), "--in-place", "--lead-seconds", "0"])
    # The last one was added at the second of the first; only then do the two compare as equal.
    ring = json.loads(file.read_text())
    ring["keys"][0]["signs_from"] -= 60
    file.write_text(json.dumps(ring))
    capsys.readouterr()
    assert main(["keys", "show", str(file)]) == 0
    states = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("server")]
    assert states == ["verifies", "verifies", "signs"]


def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "keys.json"
    main(["keys", "new", "--out", str(file)])
    for arguments, said in (
        (["keys", "new", "--out", str(file)], f"{file} exists"),
        (["keys", "new", "--out", str(tmp_path / "none" / "keys.json")], f"no directory {tmp_path / 'none'}"),
    ):
        capsys.readouterr()
        assert main(arguments) == 1
        assert said in capsys.readouterr().err
    for wrong in ("-5", "1h"):
        with pytest.raises(SystemExit):
            main(["keys", "rotate", str(file), f"--lead-seconds={wrong}"])
        assert "a whole number of seconds" in capsys.readouterr().err


def test_the_command_makes_client_secrets_and_explains_refusals(capsys: Any) -> None:
    assert main(["keys", "secret"]) == 0
    assert len(capsys.readouterr().out.strip()) >= 43
    assert main(["explain", "bearer.expired"]) == 0
    assert "bearer.expired" in capsys.readouterr().out
    assert main(["explain", "no.such"]) == 1
    assert main(["keys", "show", "/no/such/file"]) == 1
    assert "error:" in capsys.readouterr().err


def test_the_module_runs_and_reads_the_standard_input() -> None:
    run = [sys.executable, "-m", "lockstep_oauth", "keys"]
    text = subprocess.run([*run, "new"], capture_output=True, text=True, check=True).stdout
    shown = subprocess.run([*run, "show", "-"], input=text, capture_output=True, text=True, check=True, env={**os.environ}).stdout
    assert "signs" in shown


def test_a_new_ring_can_sign_jwts_by_another_algorithm() -> None:
    for algorithm in ("ES256", "EdDSA"):
        ring = json.loads(new_keys(algorithm))
        assert [key["jwk"]["alg"] for key in ring["jwt"]] == [algorithm]
    with pytest.raises(MisuseError):
        new_keys("RS256")
