"""Serve one side with uvicorn: ``python -m side_by_side.serve SIDE PORT LOOP``."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import uvicorn

from .sides import App, Ours, Sdk

CPU = "/bench-cpu"
LOOPS = {"asyncio": ("asyncio", "h11"), "uvloop": ("uvloop", "httptools")}
"""What `pip install uvicorn` gives, and what `pip install uvicorn[standard]` gives."""


def with_cpu(app: App) -> App:
    """Answer one path with the CPU time of this process so far."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == CPU:
            body = str(time.process_time_ns()).encode()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})
        else:
            await app(scope, receive, send)

    return served


def pin(which: int) -> None:
    """Stay on one processor: what serves on the first, what asks on the last. Both sides then get the same one."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) > 1:
        os.sched_setaffinity(0, {available[which]})


def main() -> None:
    """Serve until killed."""
    pin(0)
    name, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    loop, http = LOOPS[kind]
    origin = f"http://127.0.0.1:{port}"
    algorithm = "ES256" if name == "lockstep-jwt" else None
    side = Sdk(origin) if name == "sdk" else Ours(origin, algorithm)
    uvicorn.run(with_cpu(side.served()), host="127.0.0.1", port=port, loop=loop, http=http, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
