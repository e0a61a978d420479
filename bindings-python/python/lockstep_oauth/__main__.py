"""``python -m lockstep_oauth``: makes, rotates and shows keys, makes client secrets, and explains refusals."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from pathlib import Path

from ._native import explain
from .errors import LockstepError
from .keys import KEEP_SECONDS, LEAD_SECONDS, new_keys, rotated_keys, write_private_file

NEVER = 2**53 - 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (LockstepError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lockstep_oauth", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keys = commands.add_parser("keys", help="make, rotate and show keys").add_subparsers(required=True, metavar="COMMAND")

    new = keys.add_parser("new", help="make a key ring and print it, or write it to a file")
    new.add_argument("--out", type=Path, metavar="FILE", help="write there, readable by its owner alone; never over a file")
    new.add_argument("--jwt-algorithm", choices=["ES256", "EdDSA"], default="ES256", help="what signs JWT access tokens (%(default)s)")
    new.set_defaults(run=_new)

    rotate = keys.add_parser("rotate", help="add new keys to a ring; the old ones go on verifying")
    rotate.add_argument("file", metavar="FILE", help="the file with the ring, or - for the standard input")
    rotate.add_argument("--lead-seconds", type=_seconds, default=LEAD_SECONDS, help="when the new keys begin to sign (%(default)s)")
    rotate.add_argument("--keep-seconds", type=_seconds, default=KEEP_SECONDS, help="how long the old ones verify (%(default)s)")
    rotate.add_argument("--in-place", action="store_true", help="replace the file instead of printing the new ring")
    rotate.set_defaults(run=_rotate)

    secret = keys.add_parser("secret", help="print a secret for a confidential client")
    secret.set_defaults(run=_secret)

    show = keys.add_parser("show", help="list the keys of a ring, without their secrets")
    show.add_argument("file", metavar="FILE", help="the file with the ring, or - for the standard input")
    show.set_defaults(run=_show)

    why = commands.add_parser("explain", help="say what a refusal means and what to do")
    why.add_argument("id", metavar="ID", help="such as token.code.reused")
    why.set_defaults(run=_explain)
    return parser


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"a whole number of seconds, not {text!r}")
    return int(text)


def _new(options: argparse.Namespace) -> int:
    if options.out is None:
        print(new_keys(options.jwt_algorithm))
        return 0
    if options.out.exists():
        raise ValueError(f"{options.out} exists, and a key ring is not written over; rotate it, or name another file")
    if not options.out.resolve().parent.is_dir():
        raise ValueError(f"there is no directory {options.out.resolve().parent}")
    write_private_file(options.out, new_keys(options.jwt_algorithm))
    print(f"wrote {options.out}; set LOCKSTEP_KEYS_FILE={options.out}", file=sys.stderr)
    return 0


def _rotate(options: argparse.Namespace) -> int:
    if options.in_place and options.file == "-":
        raise ValueError("--in-place needs a file")
    ring = rotated_keys(_text(options.file), options.lead_seconds, options.keep_seconds)
    if options.in_place:
        write_private_file(Path(options.file), ring, replace=True)
        when = f"within {options.lead_seconds} seconds" if options.lead_seconds else "now"
        print(f"replaced {options.file}; restart every process {when}", file=sys.stderr)
    else:
        print(ring)
    return 0


def _secret(_: argparse.Namespace) -> int:
    print(secrets.token_urlsafe(32))
    return 0


def _show(options: argparse.Namespace) -> int:
    text = _text(options.file)
    rotated_keys(text)  # refuses whatever is not a ring
    ring, now = json.loads(text), time.time()
    for kind, name in (("keys", "server"), ("jwt", "jwt")):
        entries = ring.get(kind, [])
        usable = [entry["signs_from"] for entry in entries if entry["signs_from"] <= now < entry.get("verifies_until", NEVER)]
        for number, entry in enumerate(entries, 1):
            begins, until = entry["signs_from"], entry.get("verifies_until", NEVER)
            # Of the keys that may sign, the newest does.
            state = "expired" if until <= now else "signs" if usable and begins == max(usable) else "verifies"
            label = entry.get("jwk", {}).get("kid", f"{number}")
            print(f"{name:7} {label:45} {state:9} signs from {_time(begins)}, verifies until {_time(until)}")
    return 0


def _time(seconds: int) -> str:
    return "ever" if seconds >= NEVER else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _explain(options: argparse.Namespace) -> int:
    refusal = explain(options.id)
    if refusal is None:
        raise ValueError(f"there is no refusal `{options.id}`")
    print(f"{refusal.id}: {refusal.status} {refusal.error}\n{refusal.sentence}\n{refusal.advice}\nSee {refusal.specification}.")
    return 0


def _text(file: str) -> str:
    return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
