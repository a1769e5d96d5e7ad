"""Verify an evidence bundle: fourteen checks in a fixed order, each failing closed.

    limits -> archive -> manifest -> trust -> signature -> seal -> checkpoint -> inclusion ->
    completeness -> register -> pdf -> signed files -> disclosures and receipts -> status

The archive's canonical form comes first, so a file in which any byte was changed fails before
anything in it is parsed. Anchors come from `trust` only, never from the bundle.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from ledger.entry import canonical_json
from ledger.errors import LedgerError, NoteError, NotFoundError, RetiredError
from ledger.generations import Keybook
from ledger.handover import follow_shown, newly_known
from ledger.note import Checkpoint, Verifier, open_checkpoint
from ledger.sm2 import Sm2Line
from signing import cades, manifest, proofs
from signing.archive import Limits
from signing.bundle import HANDOVERS, Bundle, read
from signing.certificates import fingerprint
from signing.container import check_container, require_not_expired
from signing.errors import BundleError, SigningError, UnknownIssuerError
from signing.profiles import APPLICANT_POLICY, NOTARY_POLICY
from signing.register import STATUS_LIST, checkpoint_time, register_of
from signing.report import Failed, Found, Procedure, Report, Unavailable
from signing.session_times import Dated, session_times
from signing.status import require_policy
from signing.tokens import read_token
from signing.trust import Trust
from signing.verify_pdf import check_status, describe_trust, require_fresh

_ROLES = {"applicant": APPLICANT_POLICY, "notary": NOTARY_POLICY}


def verify(
    data: bytes,
    trust: Trust | None,
    *,
    at: int,
    status: Mapping[str, Any] | None = None,
    max_age_ms: int | None = None,
    limits: Limits | None = None,
) -> Report:
    """Check a bundle; `at` is now (ms). `status`: a newer signed status list than the bundle's.

    Without `trust` the verdict is never "valid". Never raises for anything a file may hold.
    """
    procedure = _BundleProcedure(data, trust, status, limits or Limits())
    return procedure.report(at=at, max_age_ms=max_age_ms)


class _BundleProcedure:
    """The checks of a bundle, in order; each leaves what later ones need."""

    def __init__(
        self,
        data: bytes,
        trust: Trust | None,
        status: Mapping[str, Any] | None,
        limits: Limits,
    ) -> None:
        self._data, self._trusted, self._newer, self._limit = data, trust, status, limits
        self._bundle = Bundle({}, {})
        self._checkpoint = Checkpoint("", 0, b"")
        self._case = self._register = proofs.Chain("", ())
        self._status_index: object = None
        self._as_of: int | None = None
        self._unwitnessed = False
        self._between: list[Dated] = []
        self._keys = trust.log_keys if trust else Keybook(())
        self._signer: Verifier | None = None
        self._unknown_digests = False
        self._sm2: Sm2Line = "none"

    def report(self, *, at: int, max_age_ms: int | None) -> Report:
        run = (procedure := Procedure()).run
        run("limits", self._limits)
        run("archive", self._archive, needs=("limits",))
        run("manifest", self._manifest, needs=("archive",))
        run("trust", self._follow_keys, needs=("manifest",))
        run("signature", self._signature, needs=("trust",))
        run(
            "seal",
            lambda: check_container(self._bundle.files, self._trust, at=at),
            needs=("signature",),
        )
        run("checkpoint", lambda: self._checked_checkpoint(at=at), needs=("trust",))
        run("inclusion", self._inclusion, needs=("checkpoint",))
        run("completeness", self._completeness, needs=("inclusion",))
        run("register", self._registered, needs=("inclusion",))
        run("pdf", lambda: self._pdf(at=at), needs=("register",))
        run("signed", lambda: self._signed(at=at), needs=("signature",))
        run("disclosures", self._disclosures, needs=("completeness",))
        run("status", lambda: self._status(at=at, max_age_ms=max_age_ms), needs=("register",))
        held = {check.key for check in procedure.checks if check.outcome == "ok"}
        facts = self._facts() if {"manifest", "signature"} <= held else {}
        notes = self._trusted.notes if self._trusted else ()
        if self._unwitnessed and "no-witness" not in notes:
            notes = (*notes, "no-witness")
        if self._sm2 in ("absent", "unchecked"):
            notes = (*notes, f"sm2-{self._sm2}")
        if self._trusted and newly_known(self._trusted.log_keys, self._keys):
            notes = (*notes, "keys-followed")
        if self._unknown_digests:
            notes = (*notes, "unknown-digest")
        return Report("bundle", tuple(procedure.checks), facts, notes, self._as_of)

    @property
    def _trust(self) -> Trust:
        if self._trusted is None:
            raise Unavailable("no-trust")
        return self._trusted

    def _limits(self) -> Found:
        if len(self._data) > self._limit.archive_bytes:
            raise Failed("too-large", size=len(self._data))
        return Found({"size": len(self._data), "sha256": sha256(self._data).hexdigest()})

    def _archive(self) -> Found:
        try:
            self._bundle = read(self._data, self._limit)
        except BundleError as failure:
            raise Failed("not-canonical", error=str(failure)) from failure
        return Found({"files": len(self._bundle.files)})

    def _manifest(self) -> Found:
        value, files = self._bundle.manifest, self._bundle.files
        if value["v"] != 1 or value["format"] != manifest.FORMAT:
            raise Failed("version")
        listed, found = value["files"], manifest.listing(files)
        if listed != found:
            wrong = sorted(
                name for name in set(listed) | set(found) if listed.get(name) != found.get(name)
            )
            raise Failed("digest", files=wrong[:20])
        if value["certificate"]["sha256"] != found["certificate.pdf"]["sha256"]:
            raise Failed("digest", files=["certificate.pdf"])
        try:
            items = manifest.require_items(value)
        except BundleError as failure:
            raise Failed("commitment", error=str(failure)) from failure
        return Found({"files": len(found), "items": items})

    def _follow_keys(self) -> Found:
        """Whom to trust: the reader's anchors, and what the keys among them say of later ones."""
        found = describe_trust(self._trusted)
        self._keys = follow_shown(self._trust.log_keys, self._handover)
        return found

    def _handover(self, number: int) -> str:
        data = self._bundle.files.get(f"{HANDOVERS}/{number}.txt")
        if data is None:
            raise NotFoundError("the bundle carries no more of them")
        return data.decode("utf-8", "replace")

    def _signature(self) -> Found:
        files = self._bundle.files
        try:
            key = manifest.require_signed(
                files["manifest.json"],
                self._bundle.manifest,
                self._bundle.json("signatures.json"),
                self._keys,
            )
        except BundleError as failure:
            raise Failed("signature", error=str(failure)) from failure
        office = self._bundle.manifest["office"]
        if self._keys.log(office["origin"]) is None or office["demo"] != self._trust.demo:
            raise Failed("other-office", origin=office["origin"])
        self._signer = key
        return Found({"origin": key.name}, against=f"Ed25519 {key.name}+{key.key_id.hex()}")

    def _checked_checkpoint(self, *, at: int) -> Found:
        files, trust = self._bundle.files, self._trust
        note = files["ledger/checkpoint.txt"]
        try:
            checkpoint = open_checkpoint(note.decode(), self._keys)
            self._sm2 = trust.sm2.line_of(note.decode()) if trust.sm2 else "none"
        except RetiredError as failure:
            raise Failed("key-retired", error=str(failure)) from failure
        except (NoteError, UnicodeDecodeError) as failure:
            raise Failed("checkpoint", error=str(failure)) from failure
        if checkpoint.origin != self._bundle.manifest["office"]["origin"]:
            raise Failed("other-office", origin=checkpoint.origin)
        witnessed = self._require_witnesses(note.decode(), checkpoint)
        try:
            token = read_token(
                files["timestamps/checkpoint.tsr"],
                digest=sha256(note).digest(),
                roots=trust.tsa_roots,
            )
        except UnknownIssuerError as unknown:  # last, for whatever is false is said first
            raise Unavailable("unknown-authority", who=unknown.who) from unknown
        except SigningError as failure:
            raise Failed("timestamp", error=str(failure)) from failure
        require_not_expired(token.certificate, at=at)
        proofs.require_in_time(checkpoint, self._keys, signer=self._signer, timestamped_at=token.at)
        self._checkpoint = checkpoint
        keys = ", ".join(f"{key.algorithm.name} {key.key_id.hex()}" for key in self._keys)
        detail = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "signed_at": checkpoint_time(note.decode(), self._keys),
            "timestamped_at": token.at,
            "witnesses": witnessed,
            "sm2": self._sm2,
        }
        if trust.sm2 and self._sm2 == "held":
            keys += f", SM2 {trust.sm2.key_id.hex()}"
        return Found(detail, against=f"{checkpoint.origin}: {keys}")

    def _require_witnesses(self, note: str, checkpoint: Checkpoint) -> list[dict[str, Any]]:
        """Require the policy's quorum, unless the tree is older than the witnesses; who signed."""
        policy = self._trust.policy
        try:
            found = policy.cosignatures(note)
            enough = policy.holds(note)
        except LedgerError as failure:
            raise Failed("checkpoint", error=str(failure)) from failure
        if not enough:
            since = self._trust.witnessed_since(checkpoint.origin)
            if since is not None and checkpoint.size >= since:
                raise Failed("unwitnessed", signed=len({each.verifier.name for each in found}))
            self._unwitnessed = True
        return [{"name": each.verifier.name, "at": each.time * 1000} for each in found if each.time]

    def _inclusion(self) -> Found:
        self._case = proofs.open_chain(self._bundle.json("ledger/case.json"), self._checkpoint)
        register = self._bundle.json("ledger/register.json")
        self._register = proofs.open_chain(register, self._checkpoint)
        entries = len(self._case.leaves) + len(self._register.leaves)
        detail = {"entries": entries, "size": self._checkpoint.size}
        return Found(detail, against=f"root {self._checkpoint.root.hex()}")

    def _completeness(self) -> Found:
        session = self._bundle.manifest["session"]["id"]
        return Found(proofs.require_complete(self._case, session))

    def _registered(self) -> Found:
        if self._register.case != register_of(self._checkpoint.origin):
            raise Failed("other-register")
        certificate = self._bundle.manifest["certificate"]
        leaf, detail = proofs.require_registered(
            self._register,
            number=certificate["number"],
            pdf_sha256=sha256(self._bundle.files["certificate.pdf"]).hexdigest(),
        )
        self._status_index = leaf.body["status_index"]
        return Found(detail, against=f"ledger {self._checkpoint.origin}")

    def _pdf(self, *, at: int) -> Found:
        from signing.pdf_profile import CERTIFICATE, require_shape

        pdf = self._bundle.files["certificate.pdf"]
        signed = require_shape(pdf, CERTIFICATE, self._trust, at=at)
        return Found(signed.record(), against=f"root {self._trust.root_fingerprint}")

    def _signed(self, *, at: int) -> Found:
        """The document the applicant signed, and the files signed in the session."""
        from signing.pdf_profile import DOCUMENT, require_shape

        files, found = self._bundle.files, []
        documents = [name for name in files if name.startswith("documents/")]
        if not documents:
            raise Failed("no-document")
        applicants: list[x509.Certificate] = []
        for name in documents:
            (signer,) = require_shape(files[name], DOCUMENT, self._trust, at=at).signers
            applicants.append(signer.certificate)
            found.append({"file": name, "role": "applicant", **signer.record()})
        for name in (name for name in files if name.endswith(".p7s") and "/" in name):
            stem, role, _ = name.rsplit(".", 2) if name.startswith("session/") else ("", "", "")
            if not stem:
                continue
            signed = self._session_signature(f"{stem}.json", name, role, at=at)
            if role == "applicant":
                applicants.append(signed.certificate)
            key = fingerprint(signed.certificate)
            found.append({"file": f"{stem}.json", "role": role, "key": key})
        self._require_one_applicant(applicants)
        return Found({"signatures": found}, against=f"root {self._trust.root_fingerprint}")

    def _require_one_applicant(self, certificates: Sequence[x509.Certificate]) -> None:
        """One person signs everything, by certificates for this session only.

        Not by one key: it lives in the applicant's page, and a page that was closed in the eighth
        step makes another.
        """
        session = self._bundle.manifest["session"]["id"]
        for certificate in certificates:
            told = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
            if [each.value for each in told] != [session]:
                raise Failed("other-session", key=fingerprint(certificate))
        if len({certificate.subject for certificate in certificates}) != 1:
            keys = sorted({fingerprint(certificate) for certificate in certificates})
            raise Failed("several-applicants", keys=keys)

    def _session_signature(self, content: str, name: str, role: str, *, at: int) -> cades.Signed:
        files, trust = self._bundle.files, self._trust
        try:
            signed = cades.verify_cms(
                files[name],
                content_sha256=sha256(files[content]).hexdigest(),
                roots=trust.roots,
                tsa_roots=trust.tsa_roots,
            )
            require_policy(signed.certificate, _ROLES[role])
        except SigningError as failure:
            raise Failed("signature", file=content, role=role, error=str(failure)) from failure
        if signed.token is None:
            raise Failed("timestamp-stripped", file=content, role=role)
        require_not_expired(signed.token.certificate, at=at)
        return signed

    def _disclosures(self) -> Found:
        openings = self._bundle.json("ledger/disclosed.json")
        opened = proofs.require_disclosed(openings, (self._case, self._register))
        receipts = proofs.require_receipts(self._bundle.json("session/receipts.json"), self._case)
        files, trust = self._bundle.files, self._trust
        proofs.require_as_recorded(
            self._case, openings, manifest=self._bundle.manifest, files=files
        )
        session = self._bundle.manifest["session"]["id"]
        self._between = session_times(
            self._case.leaves, openings, session=session, files=files, trust=trust, keys=self._keys
        )
        self._unknown_digests = bool(opened.unknown)
        detail = {"opened": opened.items, "sm3": opened.sm3, "unknown": list(opened.unknown)}
        return Found(detail | {"receipts": receipts})

    def _status(self, *, at: int, max_age_ms: int | None) -> Found:
        signed = self._bundle.json("status/list.json") if self._newer is None else self._newer
        self._as_of = check_status(signed, self._status_index, self._trust)
        require_fresh(self._as_of, at=at, max_age_ms=max_age_ms)
        digest = sha256(canonical_json(signed)).hexdigest()
        logged = any(
            leaf.body.get("kind") == STATUS_LIST and leaf.body.get("sha256") == digest
            for leaf in self._register.leaves
        )
        source = "bundle" if self._newer is None else "given"
        if self._newer is None and not logged:
            # a list nobody else was shown could have been made for this reader alone
            raise Unavailable("status-not-logged", as_of=self._as_of)
        detail = {"as_of": self._as_of, "source": source, "logged": logged}
        return Found(detail, against=f"seal of {self._trust.name_zh}")

    def _facts(self) -> dict[str, Any]:
        value = self._bundle.manifest
        names = ("certificate", "facts", "office", "session", "gaps", "timeline")
        found = {name: value[name] for name in names} | {"segments": len(value["segments"])}
        return found | {"between": self._between}
