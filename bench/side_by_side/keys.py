"""Keys and JWTs that both sides verify. The same token goes to both."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ALGORITHMS = ("ES256", "RS256", "EdDSA")


def private_key(algorithm: str) -> Any:
    """Make a key."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(algorithm: str, key: Any, kid: str) -> dict[str, Any]:
    """Return a key, private or public, as a JWK."""
    written = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)
    return {name: value for name, value in written.items() if name != "key_ops"} | {"kid": kid, "alg": algorithm}


def key_ring(algorithm: str, ring: str) -> tuple[str, Any]:
    """Return a Lockstep key ring whose JWTs are signed with a new key, and that key's public half."""
    text = json.loads(ring)
    key = private_key(algorithm)
    text["jwt"] = [{"jwk": jwk(algorithm, key, "bench"), "signs_from": int(time.time()) - 60, "verifies_until": 2**48}]
    return json.dumps(text), key.public_key()


def assertion(algorithm: str, key: Any, client_id: str, audience: str, number: int) -> str:
    """Sign a client assertion (RFC 7523)."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 300, "jti": f"bench-{number}"}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "bench"})
