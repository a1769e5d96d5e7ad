"""A whole genuine bundle, made from a real office and a real log; for tests of every room.

genuine = await genuine_bundle(directory, office=office, certificate=pdf, document=pdf,
                               browser=browser, applicant=issued)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.entry import (
    Submission,
    canonical_json,
    commitment,
    commitment_sm3,
    derive_salt,
    sm3,
)
from ledger.log import Log, Sealed
from ledger.sqlite import SqliteStore
from ledger.tiles import export
from signing import cades, status
from signing.bundle import BundleContents, Disclosure, ProvenLeaf, SignedFile, build
from signing.ca import IssuedCertificate, Office
from signing.register import register_of
from tests.signing.cast import Browser, profile

CASE, SESSION = "ca5e" * 8, "5e55" * 8
REGISTER = register_of(profile().origin)
NUMBER = "（2026）示远山证字第1237号"
KEY = b"k" * 32
SEGMENTS = 12
GAP = {"participant": "applicant", "take": 0, "start_at": 1, "end_at": 1400}


@dataclass(frozen=True)
class Genuine:
    """A bundle and everything around it. `mirror` is a directory in tlog-tiles layout."""

    bundle: bytes
    contents: BundleContents
    certificate: bytes
    trust: dict[str, Any]
    mirror: Path


class Scribe:
    """Writes entries as the journal does: public facts in clear, items as commitments."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._count = 0
        self.event = ""
        self.receipts: list[dict[str, Any]] = []
        self.openings: list[Disclosure] = []

    async def write(
        self,
        chain: str,
        kind: str,
        *,
        items: Mapping[str, bytes] | None = None,
        **public: Any,
    ) -> int:
        self._count += 1
        event = self.event = sha256(f"{chain}/{self._count}".encode()).hexdigest()[:32]
        held = []
        for name, content in (items or {}).items():
            salt = derive_salt(KEY, f"{event}/{name}")
            held.append({"name": name, "sha256": commitment(salt, sha256(content).digest())})
            if chain == CASE:  # the register's entries stay as a pack that does not ask has them
                held[-1]["sm3"] = commitment_sm3(salt, sm3(content))
            self.openings.append(_opening(event, name, salt, content, by_sm3=chain == CASE))
        body = {**public, "kind": kind, "actor": "a" * 16, "items": held}
        receipt = await self._log.append(Submission("journal", event, chain, body))
        if chain == CASE:
            self.receipts.append({"index": receipt.index, "leaf_hash": receipt.leaf_hash})
        return receipt.index


def _opening(event: str, name: str, salt: bytes, content: bytes, *, by_sm3: bool) -> Disclosure:
    if name in ("segment", "signed"):
        beside = sm3(content).hex() if by_sm3 else None
        digest = sha256(content).hexdigest()
        return Disclosure(event, name, salt, content_sha256=digest, content_sm3=beside)
    return Disclosure(event, name, salt, content=content)


async def genuine_bundle(
    directory: Path,
    *,
    office: Office,
    certificate: bytes,
    document: bytes,
    browser: Browser,
    applicant: IssuedCertificate,
    revoked: tuple[int, ...] = (),
    register: str = REGISTER,
    status_logged: bool = True,
) -> Genuine:
    """Play the entries of one case into a log below `directory`, and bundle it."""
    status_list = status.build(revoked, office=office, at=office.clock())

    async def timestamp(data: bytes) -> bytes:
        return office.timestamp(sha256(data).digest())

    log = await Log.open(
        SqliteStore(directory / "ledger.db"),
        keys=office.log_keys,
        guard=directory / "guard.json",
        clock=office.clock,
        timestamp=timestamp,
    )
    try:
        scribe = Scribe(log)
        record = canonical_json({"lines": [{"who": "notary", "text": "您叫什么名字？"}]})
        session_manifest, segments = await _session(scribe, document, record)
        facts = {"kind": "act-intended", "number": NUMBER, "status_index": 3}
        await scribe.write(register, items={"intent": b'{"v":1}'}, **facts)
        completed = await scribe.write(
            register,
            "act-completed",
            number=NUMBER,
            status_index=3,
            pdf_sha256=sha256(certificate).hexdigest(),
        )
        issued = await scribe.write(CASE, "certificate-issued")
        listed = sha256(canonical_json(status_list)).hexdigest()
        if status_logged:
            issued = await scribe.write(register, "status-list", sha256=listed)
        sealed = await log.seal(max(completed, issued))
        export(log.reader, directory / "mirror")
        signatures = {"applicant": _by_browser(office, browser, applicant, session_manifest)}
        contents = BundleContents(
            certificate=certificate,
            documents={"power-of-attorney.pdf": document},
            number=NUMBER,
            issued_on="2026-11-23",
            facts={"applicant": "周明远", "attorney": "陈慧", "purpose": "房屋过户"},
            session={"id": SESSION, "started_at": 1_795_442_400_000, "ended_at": 1_795_443_734_000},
            signed=[
                SignedFile(
                    "session/record.json",
                    record,
                    {"applicant": _by_browser(office, browser, applicant, record)},
                ),
                SignedFile("session/manifest.json", session_manifest, signatures),
            ],
            authorisations=[{"v": 1, "kind": "totp", "role": "notary", "over": "0" * 64}],
            segments=segments,
            gaps=[{**GAP, "kind": "freeze"}],
            timeline=[{"number": n, "key": "open", "started_at": n} for n in range(1, 10)],
            case=CASE,
            case_leaves=await _proven(log, CASE, sealed),
            register=register,
            register_leaves=await _proven(log, register, sealed),
            checkpoint=sealed.checkpoint,
            checkpoint_token=sealed.timestamp or b"",
            disclosed=scribe.openings,
            status=status_list,
            receipts=scribe.receipts[:5],
            salt_key=KEY,
            made_at=office.clock(),
        )
    finally:
        await log.close()
    bundle = build(contents, office=office)
    return Genuine(bundle, contents, certificate, office.trust(), directory / "mirror")


def rebuilt(genuine: Genuine, office: Office, **changes: Any) -> bytes:
    """The bundle the office itself would make of other contents."""
    return build(replace(genuine.contents, **changes), office=office)


async def _session(
    scribe: Scribe, document: bytes, record: bytes
) -> tuple[bytes, list[dict[str, Any]]]:
    """The entries of the session; its manifest, and the segments as a bundle lists them."""
    await scribe.write(CASE, "case-created")
    first, segments = 1, []
    await scribe.write(CASE, "session-opened", session=SESSION)
    for number in range(SEGMENTS):
        content = b"%d" % number
        told = {"participant": "applicant", "take": 0, "number": number}
        told |= {"start_at": 1000 * number, "end_at": 1000 * number + 1000}
        await scribe.write(CASE, "segment", items={"segment": content}, session=SESSION, **told)
        digests = {"sha256": f"{number:064x}", "plaintext_sha256": sha256(content).hexdigest()}
        segments.append({**told, **digests, "event": scribe.event})
    await scribe.write(CASE, "gap", session=SESSION, gap="freeze", **GAP)
    for evidence, items in (
        ("document_signed", {"signed": document}),
        ("record_signed", {"content": record}),
    ):
        await scribe.write(CASE, "evidence-seen", items=items, session=SESSION, evidence=evidence)
    manifest = canonical_json({"session": SESSION, "segments": SEGMENTS})
    await scribe.write(CASE, "session-closed", items={"manifest": manifest}, session=SESSION)
    last = first + SEGMENTS + 4
    counts = {"first_case_seq": first, "last_case_seq": last, "count": last - first + 1}
    await scribe.write(
        CASE, "session-seal", items={"manifest": manifest}, session=SESSION, **counts
    )
    return manifest, segments


async def _proven(log: Log, chain: str, sealed: Sealed) -> list[ProvenLeaf]:
    return [
        ProvenLeaf(index, leaf, await log.inclusion(index, sealed.tree_size))
        for index, leaf in await log.chain(chain)
    ]


def _by_browser(
    office: Office, browser: Browser, applicant: IssuedCertificate, content: bytes
) -> bytes:
    attributes = cades.prepare(
        sha256(content).hexdigest(), applicant.certificate, at=office.clock()
    )
    return cades.assemble(
        attributes,
        browser.sign(attributes),
        applicant.certificate,
        applicant.chain,
        timestamp=office.timestamp,
    )
