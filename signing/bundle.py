"""The evidence bundle 证据包: everything about one certificate that can be checked offline.

    data = build(contents, office=office)         # one canonical zip; CPU work, some 20 ms
    bundle = read(data, Limits())                 # refuses anything but a canonical bundle

Layout and rules: docs/bundle-format.md. Nothing in it points to itself: the certificate's PDF cites
the session, the register entry `act-completed` holds the PDF's digest, the bundle comes after and
is not logged. The manifest leaves out itself, `signatures.json` and META-INF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography import x509

from ledger.entry import canonical_json, parse_canonical
from ledger.errors import EntryError
from signing import cades, manifest
from signing.archive import Limits, pack, unpack
from signing.certificates import encode
from signing.errors import BundleError
from signing.session_times import OPENING, OPENING_TOKEN, SEALED, SEALED_TOKEN

if TYPE_CHECKING:
    from signing.ca import Office

__all__ = [
    "BundleContents",
    "Bundle",
    "Disclosure",
    "Limits",
    "ProvenLeaf",
    "SignedFile",
    "build",
    "read",
]

HANDOVERS = "ledger/keys"
MIMETYPE = b"application/vnd.etsi.asic-e+zip"
README = """\
Farseal evidence bundle / 远证证据包

certificate.pdf is the notarial certificate. Everything else is there to check it.
To check offline:   farseal verify THIS.zip --trust trust.json
trust.json comes from the notary office itself (its site, or paper), never from this archive.
How to check each part with openssl: docs/bundle-format.md of the Farseal project.

certificate.pdf 是公证书，其余文件用来核验它。
离线核验：farseal verify 本文件.zip --trust trust.json
trust.json 须从公证处取得（官网或纸面），不能取自本证据包。
"""


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """An entry of the ledger and its inclusion proof in the tree of `BundleContents.checkpoint`.

    `leaf`: the bytes `Log.leaf(index)` or `Log.chain(case)` gives. `inclusion`: `await
    log.inclusion(index, size)` with `size` = that checkpoint's, lowercase hex, for ALL leaves.
    """

    index: int
    leaf: bytes
    inclusion: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file of the session and the detached CAdES signatures (DER) over its bytes.

    `path`: "session/record.json" (the interview record 询问笔录 as the applicant signed it) or
    "session/manifest.json" (the session manifest). `signatures`: by role, "applicant" or "notary";
    a notary who authorised by one-time code instead has no CMS: see `authorisations`.
    """

    path: str
    content: bytes
    signatures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The opening of one salted commitment in the ledger.

    `event`: 32 hex, the leaf's event id. `name`: the item's name in that leaf's body ("facts",
    "manifest", "page", ...). `salt`: 32 bytes, `derive_salt(case key, f"{event}/{name}")`. Give
    `content` (bytes: text such as canonical JSON of facts) or, for what stays out of the bundle or
    stands in one of its files, only `content_sha256` (hex); with `content_sm3` (hex) where the
    leaf has an SM3 commitment too.
    """

    event: str
    name: str
    salt: bytes
    content: bytes | None = None
    content_sha256: str | None = None
    content_sm3: str | None = None


@dataclass(frozen=True, slots=True)
class BundleContents:
    """All that goes into a bundle. Plain values are JSON without floats (ledger.canonical_json).

    certificate     the signed 公证书, PDF bytes; its SHA-256 stands in a register leaf below
    documents       file name -> PDF bytes, e.g. {"power-of-attorney.pdf": the document as the
                    applicant signed it (signing.pades.embed)}; at least one
    number          the certificate's number as printed; equal to `number` of the register leaves
    issued_on       "YYYY-MM-DD"
    facts           what the certificate says, flat: name -> text or integer (applicant, attorney,
                    purpose, term, notary, licence, matter, ...): shown by verifiers, each under a
                    salted commitment of its own so that it can be withheld later
    session         {"id": 32 hex, "started_at": ms, "ended_at": ms, ...}; `id` is the `session` of
                    the leaf of kind "session-seal"
    signed          the interview record and the session manifest (SignedFile), both with the
                    applicant's CMS
    authorisations  the records of notary and approver (Authorisation.record()), over the same draft
    segments        [{"participant","take","number","start_at","end_at","bytes","sha256"
                    (of the ciphertext), "plaintext_sha256", ...}] in order; video stays outside
    gaps            [{"participant","kind","start_at","end_at","detail"?}], none left out
    timeline        [{"number": 1..9, "key", "title"?, "started_at", "completed_at"}] steps in order
    case            32 hex, the case's chain in the ledger
    case_leaves     EVERY entry of the case's chain from case_seq 0 on, in order, at least up to the
                    session's seal entry (kind "session-seal" with first_case_seq, last_case_seq,
                    count) and best up to "certificate-issued"
    register        32 hex, the office's register chain
    register_leaves this certificate's entries of the register: "act-intended", "act-completed"
                    (number, status_index and the plain pdf_sha256 in clear), and, if logged,
                    "status-list" with the digest of `status`
    checkpoint      the signed note all inclusion proofs lead to; Sealed.checkpoint of the newest
                    leaf here, e.g. of act-completed, whose `tree_size` covers all others
    checkpoint_token RFC 3161 token (DER) over the note's UTF-8 bytes; Sealed.timestamp
    disclosed       openings of commitments (Disclosure), what the bundle's receiver may see
    status          `signing.status.build(...)`: the newest signed status list
    receipts        [{"index","leaf_hash"}] the applicant was shown during the session
    handovers       how the ledger's keys changed, if they did: texts of `ledger.handover`, in order
    opening         the note the session's first opening words were drawn from, with the outside
                    token over it (empty: none); None if not kept
    session_seal    the session's seal as Log.seal gave it, as C2SP tlog-proof text, and its token:
                    (text, token or b""); None if there is none
    salt_key        32 bytes; the case's *register* key: salts of the manifest's own items
    made_at         ms since the epoch; when the bundle is made
    """

    certificate: bytes
    documents: Mapping[str, bytes]
    number: str
    issued_on: str
    facts: Mapping[str, str | int]
    session: Mapping[str, Any]
    signed: Sequence[SignedFile]
    authorisations: Sequence[Mapping[str, Any]]
    segments: Sequence[Mapping[str, Any]]
    gaps: Sequence[Mapping[str, Any]]
    timeline: Sequence[Mapping[str, Any]]
    case: str
    case_leaves: Sequence[ProvenLeaf]
    register: str
    register_leaves: Sequence[ProvenLeaf]
    checkpoint: str
    checkpoint_token: bytes
    disclosed: Sequence[Disclosure]
    status: Mapping[str, Any]
    receipts: Sequence[Mapping[str, Any]]
    salt_key: bytes
    made_at: int
    opening: tuple[str, bytes] | None = None
    session_seal: tuple[str, bytes] | None = None
    handovers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle taken apart: canonical, but nothing in it is believed yet."""

    files: Mapping[str, bytes]
    manifest: Mapping[str, Any]

    def json(self, name: str) -> Any:
        """A file that is canonical JSON. Raises BundleError."""
        return _read_json(self.files, name)


def build(contents: BundleContents, *, office: Office) -> bytes:
    """Make the canonical zip, signed by the ledger's Ed25519 key and sealed by the office.

    Raises BundleError for contents that would not verify at once: no register entry for the PDF, a
    value that has no canonical JSON.
    """
    digest = sha256(contents.certificate).hexdigest()
    if not any(digest.encode() in leaf.leaf for leaf in contents.register_leaves):
        raise BundleError("no register entry holds the certificate's digest; nothing was made")
    if not contents.documents:
        raise BundleError("a bundle has the document that was signed; nothing was made")
    try:
        files = _files(contents, office)
        files["manifest.json"] = canonical_json(manifest.compose(contents, files, office))
    except EntryError as failure:
        raise BundleError(f"the bundle's contents have no canonical form: {failure}") from failure
    files["signatures.json"] = manifest.sign(files["manifest.json"], office)
    files |= _container(files, office, at=contents.made_at)
    return pack(files)


def read(data: bytes, limits: Limits) -> Bundle:
    """Take a bundle apart. Raises BundleError for anything that is not one, byte for byte."""
    files = unpack(data, limits)
    if next(iter(files)) != "mimetype" or files["mimetype"] != MIMETYPE:
        raise BundleError("the archive does not say it is a bundle")
    value = _read_json(files, "manifest.json")
    if not isinstance(value, dict):
        raise BundleError("the manifest is not an object")
    return Bundle(files, value)


def _read_json(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return parse_canonical(files[name])
    except KeyError:
        raise BundleError(f"{name} is missing") from None
    except EntryError as failure:
        raise BundleError(f"{name}: {failure}") from failure


def _files(contents: BundleContents, office: Office) -> dict[str, bytes]:
    """Everything the manifest lists."""
    files = {
        "mimetype": MIMETYPE,
        "README.txt": README.encode(),
        "certificate.pdf": contents.certificate,
        "ledger/checkpoint.txt": contents.checkpoint.encode(),
        "ledger/case.json": _leaves(contents.case, contents.case_leaves),
        "ledger/register.json": _leaves(contents.register, contents.register_leaves),
        "ledger/disclosed.json": canonical_json([_opening(each) for each in contents.disclosed]),
        "session/receipts.json": canonical_json(list(contents.receipts)),
        "timestamps/checkpoint.tsr": contents.checkpoint_token,
        "status/list.json": canonical_json(contents.status),
    }
    for number, text in enumerate(contents.handovers, 1):
        files[f"{HANDOVERS}/{number}.txt"] = text.encode()
    if contents.opening is not None:
        note, stamped = contents.opening
        files[OPENING] = note.encode()
        if stamped:
            files[OPENING_TOKEN] = stamped
    if contents.session_seal is not None:
        proof, token = contents.session_seal
        files[SEALED] = proof.encode()
        if token:
            files[SEALED_TOKEN] = token
    for name, content in contents.documents.items():
        files[f"documents/{name}"] = content
    for signed in contents.signed:
        files[signed.path] = signed.content
        stem = signed.path.removesuffix(".json")
        for role, signature in signed.signatures.items():
            files[f"{stem}.{role}.p7s"] = signature
    return files | _keys(office)


def _keys(office: Office) -> dict[str, bytes]:
    """Certificates and revocation data, for other people's tools; the verifier takes its anchors
    from trust.json, and from here only what leads up to them."""
    files = {f"keys/{name}.crl": crl for name, crl in office.crls().items()}
    files |= {f"keys/{name}.crt": certificate for name, certificate in office.authorities().items()}
    people: dict[str, x509.Certificate] = {"seal": office.seal.certificate}
    people["tsu"] = office.tsa.certificate
    for notary in office.profile.notaries:
        people[f"notary-{notary.id}"] = office.notary(notary.id).certificate
    now, responder = office.clock(), office.responder
    for name, certificate in people.items():
        files[f"keys/{name}.crt"] = encode(certificate)
        files[f"keys/{name}.ocsp"] = responder.status(certificate, at=now)
    return files


def _leaves(chain: str, leaves: Sequence[ProvenLeaf]) -> bytes:
    entries = [
        {"index": each.index, "leaf": each.leaf.decode(), "inclusion": list(each.inclusion)}
        for each in leaves
    ]
    return canonical_json({"chain": chain, "entries": entries})


def _opening(disclosure: Disclosure) -> dict[str, Any]:
    opened: dict[str, Any] = {"event": disclosure.event, "name": disclosure.name}
    opened["salt"] = disclosure.salt.hex()
    if disclosure.content is not None:
        opened["content"] = disclosure.content.decode()
        opened["sha256"] = sha256(disclosure.content).hexdigest()
    elif disclosure.content_sha256 is not None:
        opened["sha256"] = disclosure.content_sha256
    else:
        raise BundleError(f"a disclosure of {disclosure.name} discloses nothing")
    if disclosure.content_sm3 is not None:
        opened["sm3"] = disclosure.content_sm3
    return opened


def _container(files: Mapping[str, bytes], office: Office, *, at: int) -> dict[str, bytes]:
    """META-INF as ASiC-E has it (ETSI EN 319 162-1): seal, and a timestamp over seal and all."""
    listed = manifest.asic(files, signature="META-INF/signature.p7s", kind="cades")
    seal = office.seal
    signature = cades.sign(
        sha256(listed).hexdigest(),
        key=seal.key,
        certificate=seal.certificate,
        chain=seal.chain,
        at=at,
        timestamp=office.timestamp,
    )
    sealed = {"META-INF/ASiCManifest.xml": listed, "META-INF/signature.p7s": signature}
    archived = manifest.asic(sealed, signature="META-INF/timestamp.tst", kind="timestamp")
    token = office.timestamp(sha256(archived).digest())
    return sealed | {
        "META-INF/ASiCArchiveManifest.xml": archived,
        "META-INF/timestamp.tst": token,
    }
