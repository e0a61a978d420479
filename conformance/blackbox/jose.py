"""Signs and forges JWTs by hand, so that every member can be wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CURVES = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48)}


def b64(data: bytes | str) -> str:
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def s256(verifier: str) -> str:
    return b64(hashlib.sha256(verifier.encode("utf-8", "surrogateescape")).digest())


@dataclass
class Key:
    """A private key and its public JWK."""

    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    jwk: dict

    @staticmethod
    def ec(kid: str = "k1", curve: str = "P-256") -> Key:
        private = ec.generate_private_key(CURVES[curve][0])
        return Key(private, {**_ec_members(private, curve), "kid": kid})

    @staticmethod
    def rsa(kid: str = "r1", bits: int = 2048) -> Key:
        private = rsa.generate_private_key(65537, bits)
        return Key(private, {**_rsa_members(private), "kid": kid})

    @staticmethod
    def from_jwk(jwk: dict) -> Key:
        curve = CURVES[jwk["crv"]][0]
        private = ec.derive_private_key(int.from_bytes(unb64(jwk["d"]), "big"), curve)
        return Key(private, {k: v for k, v in jwk.items() if k != "d"})

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def der(self) -> bytes:
        return self.private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def private_jwk(self) -> dict:
        numbers = self.private.private_numbers()
        length = CURVES[self.jwk["crv"]][1]
        return {**self.jwk, "d": b64(numbers.private_value.to_bytes(length, "big"))}

    def sign_der(self, data: bytes) -> bytes:
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        length = CURVES[self.jwk["crv"]][1]
        r, s = decode_dss_signature(self.sign_der(data))
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def _ec_members(private, curve: str) -> dict:
    numbers, length = private.public_key().public_numbers(), CURVES[curve][1]
    return {"kty": "EC", "crv": curve, "x": b64(numbers.x.to_bytes(length, "big")), "y": b64(numbers.y.to_bytes(length, "big"))}


def _rsa_members(private) -> dict:
    numbers = private.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {"kty": "RSA", "n": b64(numbers.n.to_bytes(size, "big")), "e": b64(numbers.e.to_bytes(3, "big"))}


def hs256(secret: bytes):
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def jws(header: dict | str, payload: dict | str, sign) -> str:
    """A compact JWS; `header` and `payload` may be raw JSON text, `sign` maps the signing input to signature bytes."""
    head = header if isinstance(header, str) else json.dumps(header)
    body = payload if isinstance(payload, str) else json.dumps(payload)
    message = f"{b64(head)}.{b64(body)}"
    return f"{message}.{b64(sign(message.encode()))}"


def assertion_claims(client_id: str, issuer: str, **change) -> dict:
    """The claims of a good client assertion; a change to None drops the claim."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "jti": secrets.token_urlsafe(16), "iat": now, "exp": now + 60}
    claims.update(change)
    return {k: v for k, v in claims.items() if v is not None}


def assertion(key: Key, client_id: str, issuer: str, *, header: dict | None = None, **change) -> str:
    alg = "RS256" if key.jwk["kty"] == "RSA" else "ES256"
    head = {"alg": alg, "typ": "JWT", **({"kid": key.jwk["kid"]} if "kid" in key.jwk else {}), **(header or {})}
    return jws({k: v for k, v in head.items() if v is not None}, assertion_claims(client_id, issuer, **change), key.sign)


def read(token: str) -> tuple[dict, dict]:
    head, body, _ = token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(body))
