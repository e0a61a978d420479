"""What a guard must know of MCP's JSON-RPC messages: which tools one calls, and whether an answer reports an error."""

from __future__ import annotations

import codecs
import json
from collections.abc import MutableMapping
from typing import Any

__all__ = ["could_be_rpc", "is_error", "needed_scopes"]


def is_error(start: MutableMapping[str, Any], body: bytes, *, complete: bool) -> bool | None:
    """Return whether an answer reports an error: by its status, as JSON-RPC, or in its first event. None: not yet known."""
    if start["status"] >= 400:
        return True
    kind = b""
    for name, value in start["headers"]:
        if name.lower() == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
    if kind == b"text/event-stream":
        text = body.replace(b"\r\n", b"\n")
        for block in text.split(b"\n\n")[:-1]:
            data = b"\n".join(line[5:].lstrip(b" ") for line in block.split(b"\n") if line.startswith(b"data:"))
            if data:
                if b'"method"' in data and _is_notification(data):
                    continue  # said before it was known that the scope is missing, and not sent yet
                return _is_rpc_error(data)
            if not any(line.startswith((b"id:", b"retry:")) for line in block.split(b"\n")):
                return False  # a keep-alive: the tool takes long, and the client must see that we are there
        return None
    if kind == b"application/json":
        return _is_rpc_error(body) if complete else None
    return False


def _is_rpc_error(text: bytes) -> bool:
    try:
        message = json.loads(text)
    except ValueError:
        return False
    if not isinstance(message, dict):
        return False
    result = message.get("result")
    return "error" in message or (isinstance(result, dict) and result.get("isError") is True)


def _is_notification(text: bytes) -> bool:
    try:
        message = json.loads(text)
    except ValueError:
        return False
    return isinstance(message, dict) and "method" in message


def could_be_rpc(head: bytes) -> bool:
    """Return whether what starts like this could be a JSON object or array, in any encoding that a parser might guess.

    A form or an upload is not: it goes on unread.
    """
    # A character that is cut at the end is no character yet: the rest of it is still to come.
    decoder = codecs.getincrementaldecoder(json.detect_encoding(head))("replace")
    text = decoder.decode(head).lstrip("\ufeff \t\r\n")
    return not text or text[0] in "{["


def needed_scopes(body: bytes, tool_scopes: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the scopes that a JSON-RPC message, or any of a batch, needs for the tools it calls.

    Raises ValueError for what two parsers could read differently.
    """
    message = json.loads(body.decode("utf-8"), object_pairs_hook=_unambiguous, parse_constant=_no_json) if body else None
    needed: list[str] = []
    for one in message if isinstance(message, list) else [message]:
        if isinstance(one, dict) and one.get("method") == "tools/call":
            params = one.get("params")
            name = params.get("name") if isinstance(params, dict) else None
            scopes = tool_scopes.get(name, ()) if isinstance(name, str) else ()
            needed.extend(scope for scope in scopes if scope not in needed)
    return needed


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member appears twice")
    return members


def _no_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON, though this parser would take it")
