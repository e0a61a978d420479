"""JWT checks of the native module against `cryptography` called directly, alternating within one process.

`cryptography` does the bare signature over the same bytes with a loaded key; ours is the whole check of a request with
that token (header, claims, audience, scopes) up to the identity. RS256 comes in through client assertions only, so there
it is what authenticating with one adds to the same request.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .keys import ALGORITHMS, assertion, jwk, key_ring, private_key

ISSUER, RESOURCE = "https://notes.example", "https://notes.example/mcp"
ROUNDS, BATCH = 9, 100


def config(**more: Any) -> str:
    """Return a configuration of the core."""
    return json.dumps(
        {"issuer": ISSUER, "resources": [{"resource": RESOURCE}], "scopes": [{"name": "notes:read", "description": "Read"}], **more}
    )


def directly(algorithm: str, key: Any, token: str) -> Callable[[], None]:
    """Return the verification of one token by `cryptography`, with everything but the signature done beforehand."""
    signed, _, signature = token.rpartition(".")
    message = signed.encode()
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    if algorithm == "ES256":
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        return lambda: key.verify(der, message, ec.ECDSA(hashes.SHA256()))
    if algorithm == "RS256":
        return lambda: key.verify(raw, message, padding.PKCS1v15(), hashes.SHA256())
    return lambda: key.verify(raw, message)


def checked(algorithm: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return our check of a JWT access token, and the direct verification of the same token."""
    from lockstep_oauth._native import Allowed, Server, keys_generate

    ring, public = key_ring(algorithm, keys_generate(int(time.time()) - 60, os.urandom(32)))
    server = Server(config(access_token_format="jwt"), ring)
    private = json.loads(ring)["jwt"][0]["jwk"]
    now = int(time.time())
    claims = {
        "iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "bench", "scope": "notes:read", "iat": now, "exp": now + 300,
        "jti": "AAAAAAAAAAAAAAAAAAAAAA", "grant_id": "AAAAAAAAAAAAAAAAAAAAAA", "grant_generation": 1,
    }  # fmt: skip
    signing = jwt.PyJWK(private).key
    token = jwt.encode(claims, signing, algorithm=algorithm, headers={"kid": "bench", "typ": "at+jwt"})
    headers, scopes = [(b"host", b"notes.example"), (b"authorization", b"Bearer " + token.encode())], ["notes:read"]
    seed = os.urandom(32)

    def ours() -> None:
        outcome = server.check(headers, b"", RESOURCE, scopes, "127.0.0.1", now, seed).step.outcome
        if type(outcome) is not Allowed:
            raise SystemExit(f"bench: our own {algorithm} token is refused: {outcome.refusal}")

    return ours, directly(algorithm, public, token)


def asserted(algorithm: str) -> tuple[Callable[[], None], Callable[[], None], Callable[[], None]]:
    """Return revoking an unknown token with an assertion, the same without, and the direct verification."""
    from lockstep_oauth._native import Commit, Load, Server, keys_generate

    key = private_key(algorithm)
    clients = [
        {"client_id": "signs", "redirect_uris": ["https://client.example/cb"], "jwks": {"keys": [jwk(algorithm, key.public_key(), "bench")]}},
        {"client_id": "public", "redirect_uris": ["https://client.example/cb"]},
    ]
    server = Server(config(clients=clients), keys_generate(int(time.time()) - 60, os.urandom(32)))
    headers = [(b"host", b"notes.example"), (b"content-type", b"application/x-www-form-urlencoded")]
    now = int(time.time())
    kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    tokens = [assertion(algorithm, key, "signs", ISSUER, number) for number in range((ROUNDS + 1) * BATCH)]
    bodies = [f"token=unknown&{kind}&client_assertion={token}".encode() for token in tokens]

    def revoke(body: bytes) -> None:
        exchange = server.handle("POST", "/revoke", b"", headers, body, "127.0.0.1", now, os.urandom(32))
        step = exchange.step
        while True:
            if type(step) is Load:
                step = exchange.loaded([None] * len(step.keys))
            elif type(step) is Commit:
                step = exchange.committed("committed")
            else:
                break
        if step.outcome.response.status != 200:
            raise SystemExit(f"bench: revoking with {algorithm}: {step.outcome.refusal}")

    return lambda: revoke(bodies.pop()), lambda: revoke(b"token=unknown&client_id=public"), directly(algorithm, key.public_key(), tokens[0])


def measure(*works: Callable[[], None]) -> list[float]:
    """Return CPU microseconds of each work: medians over rounds that alternate between them."""
    spent: list[list[float]] = [[] for _ in works]
    for work in works:
        for _ in range(BATCH):
            work()
    gc.collect()
    for _ in range(ROUNDS):
        for work, times in zip(works, spent, strict=True):
            before = time.process_time_ns()
            for _ in range(BATCH):
                work()
            times.append((time.process_time_ns() - before) / 1000 / BATCH)
    return [statistics.median(times) for times in spent]


def main() -> None:
    """Print one line of JSON."""
    found = {}
    for algorithm in ALGORITHMS:
        if algorithm == "RS256":
            signed, plain, direct = measure(*asserted(algorithm))
            found[algorithm] = {"ours": signed - plain, "direct": direct}
        else:
            ours, direct = measure(*checked(algorithm))
            found[algorithm] = {"ours": ours, "direct": direct}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
