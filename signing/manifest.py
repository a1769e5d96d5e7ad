"""The bundle's manifest: what is in it, digests, salted commitments, and the signatures over both.

The manifest is JCS. `files` holds every file's digest and size. `commitments` lists one salted
commitment per item (a fact, a segment, a gap, a step of the timeline), and `salts` opens them. The
Ed25519 key of the ledger signs two things apart: the manifest as it is, and the list of
commitments alone. So somebody may withhold items and their salts, and the rest still proves to be
part of the whole that was signed.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.entry import canonical_json, commitment, derive_salt, parse_canonical
from ledger.note import Algorithm, Verifier
from signing.errors import BundleError

if TYPE_CHECKING:
    from signing.bundle import BundleContents
    from signing.ca import Office

FORMAT = "farseal-evidence-bundle"
# Never listed: the manifest itself, and what is made over it.
UNLISTED = ("manifest.json", "signatures.json")
META = "META-INF/"
ITEM_LISTS = ("segments", "gaps", "timeline")
_CONTEXT = b"farseal/bundle/v1\0"
_ASIC = "http://uri.etsi.org/02918/v1.2.1#"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_MEDIA_TYPES = {
    "pdf": "application/pdf",
    "json": "application/json",
    "txt": "text/plain",
    "xml": "text/xml",
    "p7s": "application/pkcs7-signature",
    "tsr": "application/timestamp-reply",
    "tst": "application/vnd.etsi.timestamp-token",
    "crt": "application/pkix-cert",
    "crl": "application/pkix-crl",
    "ocsp": "application/ocsp-response",
}
_SIGNATURE_TYPES = {
    "cades": "application/pkcs7-signature",
    "timestamp": "application/vnd.etsi.timestamp-token",
}


def compose(contents: BundleContents, files: Mapping[str, bytes], office: Office) -> dict[str, Any]:
    """The manifest's value for these contents and files."""
    profile = office.profile
    value: dict[str, Any] = {
        "v": 1,
        "format": FORMAT,
        "made_at": contents.made_at,
        "office": {
            "name_zh": profile.name_zh,
            "name_en": profile.name_en,
            "origin": office.ledger.place.origin,
            "public_url": profile.public_url,
            "demo": profile.demo,
        },
        "certificate": {
            "number": contents.number,
            "issued_on": contents.issued_on,
            "sha256": sha256(contents.certificate).hexdigest(),
        },
        "facts": dict(contents.facts),
        "session": dict(contents.session),
        "authorisations": [dict(each) for each in contents.authorisations],
        "segments": [dict(each) for each in contents.segments],
        "gaps": [dict(each) for each in contents.gaps],
        "timeline": [dict(each) for each in contents.timeline],
        "files": listing(files),
    }
    salts = {
        name: derive_salt(contents.salt_key, f"bundle/{contents.session['id']}/{name}")
        for name, _ in items(value)
    }
    value["salts"] = {name: salt.hex() for name, salt in salts.items()}
    value["commitments"] = {
        name: commitment(salts[name], sha256(canonical_json(item)).digest())
        for name, item in items(value)
    }
    return value


def listing(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Digest and size of every file the manifest lists."""
    return {
        name: {"sha256": sha256(data).hexdigest(), "size": len(data)}
        for name, data in files.items()
        if name not in UNLISTED and not name.startswith(META)
    }


def items(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of everything in a manifest that has a commitment of its own."""
    for name, fact in value["facts"].items():
        yield f"facts/{name}", fact
    for kind in ITEM_LISTS:
        for number, item in enumerate(value[kind]):
            yield f"{kind}/{number}", item


def require_items(value: Mapping[str, Any]) -> int:
    """Hold every item against its commitment; how many they are. Raises BundleError."""
    held, salts = value["commitments"], value["salts"]
    found = dict(items(value))
    if set(found) != set(held) or set(found) != set(salts):
        raise BundleError("the manifest's items and commitments are not the same")
    for name, item in found.items():
        if (
            commitment(bytes.fromhex(salts[name]), sha256(canonical_json(item)).digest())
            != held[name]
        ):
            raise BundleError(f"{name} is not what was committed to")
    return len(found)


def sign(manifest: bytes, office: Office) -> bytes:
    """`signatures.json`: Ed25519 over the manifest, and over its list of commitments alone."""
    verifier = office.log_keys.verifiers[0]
    signatures = [
        {
            "over": over,
            "key": f"{verifier.name}+{verifier.key_id.hex()}",
            "signature": b64encode(office.log_keys.ed25519.sign(message)).decode(),
        }
        for over, message in _messages(manifest, parse_canonical(manifest))
    ]
    return canonical_json({"v": 1, "signatures": signatures})


def require_signed(
    manifest: bytes, value: Mapping[str, Any], record: Any, verifiers: Sequence[Verifier]
) -> Verifier:
    """Require both signatures, by one trusted Ed25519 key, and return it. Raises BundleError."""
    keys = {
        f"{each.name}+{each.key_id.hex()}": each
        for each in verifiers
        if each.algorithm is Algorithm.ED25519
    }
    try:
        if list(record) != ["signatures", "v"] or record["v"] != 1:
            raise BundleError("signatures.json is not of version 1")
        given = {each["over"]: each for each in record["signatures"]}
        messages = _messages(manifest, value)
        if set(given) != {over for over, _ in messages} or len(given) != len(record["signatures"]):
            raise BundleError("signatures.json does not hold the signatures a bundle has")
        (name,) = {each["key"] for each in given.values()}
        key = Ed25519PublicKey.from_public_bytes(keys[name].public)
        for over, message in messages:
            key.verify(b64decode(given[over]["signature"], validate=True), message)
    except KeyError as failure:
        raise BundleError("the manifest is signed by a key that is not trusted") from failure
    except (InvalidSignature, ValueError, TypeError) as failure:
        raise BundleError("the signature over the manifest does not hold") from failure
    return keys[name]


def _messages(manifest: bytes, value: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """What Ed25519 signs. The context keeps these apart from everything else that key signs."""
    commitments = canonical_json(value["commitments"])
    return [
        (over, _CONTEXT + over.encode() + b"\0" + sha256(data).digest())
        for over, data in (("commitments", commitments), ("manifest.json", manifest))
    ]


def asic(files: Mapping[str, bytes], *, signature: str, kind: str) -> bytes:
    """An ASiCManifest (ETSI EN 319 162-1 A.4) over these files, in one canonical spelling."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<asic:ASiCManifest xmlns:asic="{_ASIC}" xmlns:ds="{_DSIG}">',
        f"<asic:SigReference URI={quoteattr(signature)} MimeType="
        f"{quoteattr(_SIGNATURE_TYPES[kind])}/>",
    ]
    for name in sorted(files):
        if name == "mimetype":  # the container's own mark, not a data object
            continue
        media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        digest = b64encode(sha256(files[name]).digest()).decode()
        lines.append(
            f"<asic:DataObjectReference URI={quoteattr(name)} MimeType={quoteattr(media_type)}>"
            f'<ds:DigestMethod Algorithm="{_SHA256}"/>'
            f"<ds:DigestValue>{digest}</ds:DigestValue></asic:DataObjectReference>"
        )
    return "\n".join([*lines, "</asic:ASiCManifest>\n"]).encode()
