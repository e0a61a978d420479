"""Makes jose_faults.json anew, with new keys: jose_faults.py > jose_faults.json. Needs the package `cryptography`.

Each fault has keys, tokens that they make no good of, and tokens of the same keys that are sound. `covers` names the tests of
Wycheproof (by their comment, or `flag:` and their flag) whose class of fault it is.
"""

import base64
import hashlib
import hmac
import json
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils

N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


EC = ec.generate_private_key(ec.SECP256R1())
EC_NUMBERS = EC.public_key().public_numbers()
EC_KEY = {"kty": "EC", "crv": "P-256", "x": number(EC_NUMBERS.x, 32), "y": number(EC_NUMBERS.y, 32)}
EC_D = number(EC.private_numbers().private_value, 32)
ED = ed25519.Ed25519PrivateKey.generate()
ED_KEY = {"kty": "OKP", "crv": "Ed25519", "x": b64(ED.public_key().public_bytes_raw())}
RSA = rsa.generate_private_key(65537, 2048)
SMALL = rsa.generate_private_key(65537, 1024)


def rsa_key(key: rsa.RSAPrivateKey, alg: str, exponent: int = 65537) -> dict:
    return {"kty": "RSA", "n": number(key.public_key().public_numbers().n), "e": number(exponent), "alg": alg}


def parts(header: dict | str, payload: bytes = b'{"sub":"a"}') -> str:
    text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
    return f"{b64(text.encode())}.{b64(payload)}"


def ec_numbers(message: str) -> tuple[int, int]:
    return utils.decode_dss_signature(EC.sign(message.encode(), ec.ECDSA(hashes.SHA256())))


def raw(r: int, s: int, length: int = 32) -> str:
    return b64(r.to_bytes(length, "big") + s.to_bytes(length, "big"))


def es256(header: dict | str = None, payload: bytes = b'{"sub":"a"}') -> str:
    message = parts(header or {"alg": "ES256"}, payload)
    return f"{message}.{raw(*ec_numbers(message))}"


def power(key: rsa.RSAPrivateKey, message: int) -> bytes:
    numbers = key.private_numbers()
    return pow(message, numbers.d, numbers.public_numbers.n).to_bytes(key.key_size // 8, "big")


INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def pkcs1(message: str, info: bytes = INFO, digest: bytes | None = None, **change) -> bytes:
    """The padded message of RSASSA-PKCS1-v1_5, with a change."""
    digest = hashlib.sha256(message.encode()).digest() if digest is None else digest
    tail = info + digest + change.get("garbage", b"")
    filling = change.get("filling", b"\xff") * (change.get("length", 256 - len(tail) - 3))
    padded = change.get("head", b"\x00\x01") + filling + change.get("separator", b"\x00") + tail
    return padded.ljust(256, b"\x00")[:256]


def rs256(key: rsa.RSAPrivateKey = RSA, padded=pkcs1, alg: str = "RS256") -> str:
    message = parts({"alg": alg})
    block = padded(message)
    return f"{message}.{b64(power(key, int.from_bytes(block[-key.key_size // 8:], 'big')))}"


def mask(seed: bytes, length: int) -> bytes:
    blocks = (hashlib.sha256(seed + counter.to_bytes(4, "big")).digest() for counter in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def pss(message: str, salt: bytes = b"s" * 32, **change) -> bytes:
    """The padded message of RSASSA-PSS with SHA-256, with a change."""
    digest = hashlib.sha256(message.encode()).digest()
    inner = hashlib.sha256(bytes(8) + digest + salt).digest()
    block = change.get("zeros", b"\x00") * (256 - len(salt) - 34) + change.get("one", b"\x01") + salt
    masked = bytes(a ^ b for a, b in zip(block, mask(change.get("seed", inner), len(block))))
    masked = bytes([masked[0] & 0x7F]) + masked[1:]
    return masked + change.get("hash", inner) + change.get("trailer", b"\xbc")


def ps256(**change) -> str:
    return rs256(padded=lambda message: pss(message, **change), alg="PS256")


def changed(token: str, part: int, edit) -> str:
    split = token.split(".")
    split[part] = edit(split[part])
    return ".".join(split)


def flip(text: str) -> str:
    return ("B" if text[0] != "B" else "C") + text[1:]


def spare_bit(text: str) -> str:
    """The same bytes in another spelling: the last letter carries bits that nobody reads."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + letters[letters.index(text[-1]) + 1]


GOOD = es256()
FAULTS = []


def fault(name: str, covers: list[str], keys: dict, refused: list[str], accepted: list[str] | None = None) -> None:
    FAULTS.append({"fault": name, "covers": covers, "keys": keys, "refused": refused, "accepted": accepted or []})


header, payload, signature = GOOD.split(".")
fault(
    "a part is missing",
    ["rejectsEmptyString", *(f"rejectsMissing{what}" for what in (
        "Signature", "SignatureAndSeparator", "Payload", "PayloadAndSeparator", "Header", "HeaderAndSeparator",
        "HeaderAndSignature", "HeaderSignatureAndSeparator", "HeaderSignatureAndSeparators"))],
    EC_KEY,
    ["", ".", "..", f"{header}.{payload}.", f"{header}.{payload}", f"{header}..{signature}", f"{header}.{signature}",
     f".{payload}.{signature}", f"{payload}.{signature}", f".{payload}.", f"{payload}.", payload],
    [GOOD],
)
fault("a part is too many", ["rejectsExtraComponent", "rejectsExtraEmptyComponent"], EC_KEY,
      [GOOD + ".", GOOD + "." + signature, "." + GOOD, f"{header}.{payload}..{signature}"], [GOOD])
fault("a part was changed", ["rejectsModifiedSignature", "rejectsModifiedPayload", "rejectsModifiedHeader"], EC_KEY,
      [changed(GOOD, 2, flip), changed(GOOD, 1, flip), changed(GOOD, 0, flip), f"{parts({'alg': 'ES256', 'kid': 'b'})}.{signature}",
       f"{parts({'alg': 'ES256'}, b'{}')}.{signature}"], [GOOD])
fault("the key was changed", ["rejectsModifiedKey"], {**EC_KEY, "y": number(EC_NUMBERS.y ^ 1, 32)}, [GOOD])
none = parts({"alg": "none"})
fault("no algorithm", ["rejectsNoneAlgorithmAndMissingSignature", "flag:AlgIsNone"], EC_KEY,
      [f"{none}.", f"{none}.{signature}", f"{parts({'alg': 'None'})}.", f"{parts({})}.{signature}"], [GOOD])
fault("the JSON serialization", ["flag:JsonSerialization"], EC_KEY,
      [json.dumps({"protected": header, "payload": payload, "signature": signature}),
       json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})], [GOOD])
point = bytes.fromhex("04") + EC_NUMBERS.x.to_bytes(32, "big") + EC_NUMBERS.y.to_bytes(32, "big")
confused = parts({"alg": "HS256"})
fault("a public key used as a shared secret", ["rejectsSymmetryConfusionAttacks_aesKeyFromEcVerificationKeyBytes"], EC_KEY,
      [f"{confused}.{b64(hmac.digest(secret, confused.encode(), 'sha256'))}"
       for secret in (point, point[1:], json.dumps(EC_KEY).encode(), EC_KEY["x"].encode())], [GOOD])
other = ec.generate_private_key(ec.SECP256R1())
numbers = other.public_key().public_numbers()
embedded = parts({"alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}})
r, s = utils.decode_dss_signature(other.sign(embedded.encode(), ec.ECDSA(hashes.SHA256())))
fault("a key that the token brings along", ["rejectsAttackerProvidedEmbeddedJwk"], EC_KEY, [f"{embedded}.{raw(r, s)}"], [GOOD])
fault(
    "another spelling of the same bytes",
    ["rejectsSpacesInMac", "rejectsInvalidCharacterInsertedInMac", "rejects0ReplacedbyInvalidCharacter", "rejectsInvalidCharacters",
     "spacesInHeader", "invalidCharactersInHeader", "invalidBase64Padding", "spacesInPayload", "invalidCharactersInPayload",
     "invalidBase64PaddingInPayload", "InvalidCharacterInPayload", "ModifiedUnusedBitsInPayload", "MacOfIncorrectlyEncodedMessage"],
    EC_KEY,
    [changed(GOOD, part, edit)
     for part in range(3)
     for edit in (lambda text: text + "=", lambda text: text + "==", lambda text: " " + text, lambda text: text[:4] + "\n" + text[4:],
                  lambda text: text[:4] + "!" + text[4:], lambda text: text[:4] + "+" + text[5:], lambda text: text + "A")]
    + [changed(GOOD, 2, spare_bit), changed(es256({"alg": "ES256"}, b"a"), 1, spare_bit)]
    # Signed over the malformed spelling itself.
    + [f"{message}.{raw(*ec_numbers(message))}"
       for message in (f"{header}.{payload}=", f"{header} .{payload}", f"{header}=.{payload}", f"{header}.{payload[:3]}*{payload[3:]}")],
    [GOOD],
)
message = f"{header}.{payload}"
r, s = ec_numbers(message)
fault(
    "numbers that are no ECDSA signature",
    ["SignatureTooLong", "TrailingZeros", "RisTooBig", "SisTooBig", "IntegerOverflow", "BufferOverflow",
     *(f"rIs{r}_sIs{s}" for r in ("Zero", "One", "Nminus1", "N") for s in ("Zero", "One", "Nminus1", "N"))],
    EC_KEY,
    [f"{message}.{text}" for text in (
        raw(r, s, 33), raw(r, s) + "AA", b64(r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x00\x00"),
        b64(b"\x00" + r.to_bytes(32, "big") + s.to_bytes(32, "big")), b64(r.to_bytes(32, "big") + s.to_bytes(32, "big")[:31]),
        raw(2**256 - 1, s), raw(r, 2**256 - 1), raw((r + N256) % 2**256, s), raw(r, (s + N256) % 2**256), b64(b"\xff" * 1024),
        b64(utils.encode_dss_signature(r, s)),
        *(raw(r, s) for r in (0, 1, N256 - 1, N256) for s in (0, 1, N256 - 1, N256)))],
    [GOOD],
)
message = parts({"alg": "EdDSA"})
good = ED.sign(message.encode())
order = 2**252 + 27742317777372353535851937790883648493
bigger = good[:32] + ((int.from_bytes(good[32:], "little") + order).to_bytes(32, "little"))
fault("numbers that are no Ed25519 signature", [], ED_KEY,
      [f"{message}.{b64(text)}" for text in (good + b"\x00", good[:63], bigger, bytes(64), b"\xff" * 64)], [f"{message}.{b64(good)}"])
fault(
    "the padding of PKCS #1 was changed",
    ["flag:ModifiedPadding"],
    rsa_key(RSA, "RS256"),
    [rs256(padded=lambda message, change=change: pkcs1(message, **change)) for change in (
        {"info": bytes.fromhex("302f300b0609608648016503040201" "0420")},  # without NULL
        {"info": bytes.fromhex("303130 0d 0609608648016503040203 0500 0420".replace(" ", ""))},  # another hash's identifier
        {"info": bytes.fromhex("308131300d060960864801650304020105000420")},  # the length in its long form
        {"info": bytes.fromhex("3080300d060960864801650304020105000420")},  # an indefinite length
        {"info": bytes.fromhex("3032300d060960864801650304020105000420")},  # a length too long by one
        {"info": bytes.fromhex("3030300d060960864801650304020105000420")},  # a length too short by one
        {"info": bytes.fromhex("3033300f060960864801650304020105020000" "0420")},  # a value in NULL
        {"info": bytes.fromhex("3131300d060960864801650304020105000420")},  # another tag
        {"info": bytes.fromhex("3031300d060960864801650304020105000421")},  # an octet string too long
        {"info": b""},  # the hash alone
        {"garbage": b"\x00\x00", "length": 200},  # something behind the hash (Bleichenbacher 2006)
        {"garbage": b"\xff" * 100, "length": 8},
        {"filling": b"\x00"},
        {"filling": b"\xfe"},
        {"head": b"\x00\x02"},
        {"head": b"\x00\x00"},
        {"separator": b"\x01"},
        {"digest": hashlib.sha1(b"").digest()},
        {"digest": b""},
    )],
    [rs256()],
)
message = parts({"alg": "PS256"})
sound = power(RSA, int.from_bytes(pss(message), "big"))
modulus = RSA.public_key().public_numbers().n
fault(
    "the padding of PSS was changed",
    ["flag:ModifiedSignature"],
    rsa_key(RSA, "PS256"),
    [ps256(salt=b""), ps256(salt=b"s" * 20), ps256(salt=b"s" * 33), ps256(salt=b"s" * 31), ps256(zeros=b"\x01"), ps256(one=b"\x02"),
     ps256(trailer=b"\xbb"), ps256(trailer=b"\xcc"), ps256(hash=b"h" * 32), ps256(seed=b"h" * 32)]
    + [f"{message}.{b64(text)}" for text in (
        sound + b"\x00", b"\x00" + sound, sound[:-1], bytes(256), (1).to_bytes(256, "big"), (modulus - 1).to_bytes(256, "big"),
        modulus.to_bytes(256, "big"), (int.from_bytes(sound, "big") + modulus).to_bytes(257, "big"))],
    [ps256(), ps256(salt=bytes(32)), ps256(salt=b"\xff" * 32)],
)
fault("another scheme than the key's", ["flag:WrongPrimitive"], rsa_key(RSA, "RS256"),
      [ps256(), rs256(padded=pss), rs256(alg="PS256"), rs256(alg="RS384")], [rs256()])
fault("another scheme than the key's, the other way", [], rsa_key(RSA, "PS256"), [rs256(), rs256(alg="PS256"), rs256(padded=pss)], [ps256()])
fault("a key that is not for signatures", ["rejectWrongUse", "rejectsWrongUse"], {**EC_KEY, "use": "enc"}, [GOOD])
fault("a key that does not verify", ["rejectWrongKeyOps"], {**EC_KEY, "key_ops": ["encrypt"]}, [GOOD])
fault("a key of another algorithm", ["mismatchedAlgAndCurve"], {**EC_KEY, "alg": "ES384"}, [GOOD, es256({"alg": "ES384"})])
fault("a curve that is not the algorithm's", [], {**EC_KEY, "crv": "P-384"}, [GOOD])
fault("a point that is not on the curve", ["rejectsInvalidCurvePoint"], {**EC_KEY, "x": number(1, 32), "y": number(1, 32)}, [GOOD])
fault("an RSA key that is too short", ["rejects1024bitRsaKey"], rsa_key(SMALL, "RS256"),
      [rs256(SMALL, lambda message: b"\x00\x01" + b"\xff" * (128 - 54) + b"\x00" + INFO + hashlib.sha256(message.encode()).digest())])
fault("an RSA key whose exponent is 1", ["rejectsPublicExponent1"], rsa_key(RSA, "RS256", 1),
      [f"{parts({'alg': 'RS256'})}.{b64(pkcs1(parts({'alg': 'RS256'})))}"])
fault("a shared secret, short, empty or long", ["rejectsAesKey", "key_too_short", "empty_key"], {"kty": "oct", "k": b64(b"k" * 32), "alg": "HS256"},
      [f"{confused}.{b64(hmac.digest(b'k' * 32, confused.encode(), 'sha256'))}"])
for secret in (b"", b"k" * 16):
    fault(f"a shared secret of {len(secret)} bytes", [], {"kty": "oct", "k": b64(secret), "alg": "HS256"},
          [f"{confused}.{b64(hmac.digest(secret, confused.encode(), 'sha256'))}"])
named = es256({"alg": "ES256", "kid": "a"})
fault("two keys of one name", ["flag:DuplicateKid"], {"keys": [{**EC_KEY, "kid": "a"}, {**EC_KEY, "kid": "a"}]}, [named])
fault("a set that holds a private key", ["flag:MixedKeySet"], {"keys": [{**EC_KEY, "kid": "a", "d": EC_D}]}, [named, GOOD])
fault("a set of keys that does not hold the one", ["flag:JsonWebKeyset"], {"keys": [{**ED_KEY, "kid": "a"}]}, [named, GOOD])
fault("a set of keys", [], {"keys": [{**EC_KEY, "kid": "a"}, {**ED_KEY, "kid": "b"}]},
      [changed(named, 2, flip), es256({"alg": "ES256", "kid": "b"}), es256({"alg": "ES256", "kid": "c"})], [named, GOOD])
encrypted = f"{b64(json.dumps({'alg': 'dir', 'enc': 'A128GCM'}).encode())}..{b64(os.urandom(12))}.{b64(os.urandom(11))}.{b64(os.urandom(16))}"
fault(
    "an encrypted token",
    [f"rejects{how}{what}" for what in ("AuthenticationTag", "Ciphertext", "Iv", "EncryptedKey") for how in ("Modified", "Missing")]
    + [f"rejectsMissing{what}AndSeparator" for what in ("AuthenticationTag", "Ciphertext", "Iv", "EncryptedKey")]
    + ["rejectsValid"],
    EC_KEY, [encrypted, encrypted.replace("..", ".a.")], [GOOD])
# The keys of the card whose factors can be found are in jose_known_answers.rs: nobody else can make one.
print(json.dumps(FAULTS, indent=1))
