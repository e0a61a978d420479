"""Where the server's keys come from: the configuration, the environment or a file, and never the database."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ._native import keys_generate, keys_rotate
from .errors import ConfigurationError

__all__ = ["KEYS_FILE", "is_loopback_http", "load_keys", "new_keys", "rotated_keys", "write_private_file"]

logger = logging.getLogger("lockstep_oauth")

KEYS_FILE = ".lockstep-keys.json"
"""The file that a development server makes for itself."""
LEAD_SECONDS = 3_600
KEEP_SECONDS = 181 * 86_400
"""The longest grant by default (180 days), and a day."""

_HOW = (
    "no keys are configured. Make them once with `python -m lockstep_oauth keys new` and give the text to every process as "
    "LOCKSTEP_KEYS, or the path of a file with it as LOCKSTEP_KEYS_FILE, or pass keys=... . Keep it as you keep a database password"
)


def load_keys(
    keys: str | os.PathLike[str] | None,
    env: Mapping[str, str] | None = None,
    issuer: str = "",
    *,
    beside: str | os.PathLike[str] | None = None,
) -> str:
    """Return the text of the key ring.

    ``keys`` is that text itself, or a path-like object; otherwise LOCKSTEP_KEYS (the text) or LOCKSTEP_KEYS_FILE (a
    path). Only for an issuer that is plain http on loopback is a file made, readable by its owner alone, in the
    directory of ``beside`` (the database's path) or the working directory.
    """
    env = os.environ if env is None else env
    if isinstance(keys, str):
        if not keys.strip():
            raise ConfigurationError("keys", "the text is empty; make keys with `python -m lockstep_oauth keys new`")
        return _ring("keys", keys, "keys=Path(...)")
    if isinstance(keys, os.PathLike):
        return _read(Path(keys), "keys")
    if keys is not None:
        raise ConfigurationError("keys", f"the key ring's text, or a Path of a file with it, not {type(keys).__name__}")
    text, path = env.get("LOCKSTEP_KEYS", ""), env.get("LOCKSTEP_KEYS_FILE", "")
    if text.strip() and path:
        raise ConfigurationError("keys", "both LOCKSTEP_KEYS and LOCKSTEP_KEYS_FILE are set; keep one of them")
    if text.strip():
        return _ring("LOCKSTEP_KEYS", text, "LOCKSTEP_KEYS_FILE")
    if path:
        return _read(Path(path), "LOCKSTEP_KEYS_FILE")
    if not is_loopback_http(issuer):
        raise ConfigurationError("keys", _HOW)
    return _development_keys(Path(beside).parent / KEYS_FILE if beside is not None else Path(KEYS_FILE))


def is_loopback_http(issuer: str) -> bool:
    """Whether the issuer is plain http on this machine, as only development servers are."""
    try:
        parts = urlsplit(issuer)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "http":
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_keys(algorithm: str = "ES256") -> str:
    """Return the text of a new key ring, which signs from now on; JWTs by ``ES256`` or ``EdDSA``."""
    return keys_generate(int(time.time()), os.urandom(32), algorithm)


def rotated_keys(text: str, lead_seconds: int = LEAD_SECONDS, keep_seconds: int = KEEP_SECONDS) -> str:
    """Return the ring with new keys that verify at once and sign ``lead_seconds`` from now.

    Give the text to every process within that time. The old keys verify for ``keep_seconds`` after that, which must be
    at least as long as the longest grant.
    """
    return keys_rotate(text, int(time.time()), os.urandom(32), lead_seconds, keep_seconds)


def write_private_file(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises FileExistsError unless ``replace``."""
    from tempfile import mkstemp  # imports are most of what importing this package costs

    handle, temporary = mkstemp(prefix=".lockstep-", dir=path.parent)  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _ring(field: str, text: str, for_a_file: str) -> str:
    """Return the text, unless it cannot be a ring: most often it is the path of one. It may be secret, so it is not repeated."""
    if not text.lstrip().startswith("{"):
        raise ConfigurationError(field, f"this is not the text of a key ring; for the path of a file use {for_a_file}")
    return text


def _read(path: Path, field: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            field, f"{path} cannot be read: {error}; make the file with `python -m lockstep_oauth keys new --out {path}`"
        ) from error


def _development_keys(path: Path) -> str:
    if not path.exists():
        try:
            write_private_file(path, new_keys())
        except FileExistsError:
            pass  # another process was first, and its keys are ours
        except OSError as error:
            raise ConfigurationError("keys", f"no keys are configured, and {path} cannot be made: {error}") from error
        else:
            logger.warning(
                "made new keys in %s, for development. Keep the file out of version control; in production set LOCKSTEP_KEYS",
                path,
            )
    return _read(path, "keys")
