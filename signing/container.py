"""The container of a bundle: the office's seal over every file, and the timestamp over the seal."""

from collections.abc import Mapping
from hashlib import sha256

from cryptography import x509

from signing import cades, manifest
from signing.certificates import fingerprint, milliseconds
from signing.errors import RevokedError, SigningError
from signing.report import Failed, Found, Unavailable
from signing.revocation import require_not_revoked
from signing.status import require_seal
from signing.tokens import read_token
from signing.trust import Trust


def check_container(files: Mapping[str, bytes], trust: Trust, *, at: int) -> Found:
    """Check CAdES-T by the office's seal, and the timestamp over all of it; `at` is now (ms).

    Raises Failed, Unavailable.
    """
    plain = {name: data for name, data in files.items() if not name.startswith(manifest.META)}
    listed = manifest.asic(plain, signature="META-INF/signature.p7s", kind="cades")
    names = ("META-INF/ASiCManifest.xml", "META-INF/signature.p7s")
    inner = {name: files[name] for name in names}
    archived = manifest.asic(inner, signature="META-INF/timestamp.tst", kind="timestamp")
    expected = {*names, "META-INF/ASiCArchiveManifest.xml", "META-INF/timestamp.tst"}
    if {name for name in files if name.startswith(manifest.META)} != expected:
        raise Failed("other-files")
    if (inner[names[0]], files["META-INF/ASiCArchiveManifest.xml"]) != (listed, archived):
        raise Failed("digest", files=["META-INF"])
    try:
        signed = cades.verify_cms(
            inner[names[1]],
            content_sha256=sha256(listed).hexdigest(),
            roots=trust.roots,
            tsa_roots=trust.tsa_roots,
        )
        require_seal(signed.certificate, trust)
        if signed.token is None:
            raise Failed("timestamp-stripped")
        issuer = signed.path[1]
        response = files["keys/seal.ocsp"]
        when = signed.token.at
        require_not_revoked(
            signed.certificate, response=response, issuer=issuer, roots=trust.roots, at=when
        )
        token = read_token(
            files["META-INF/timestamp.tst"],
            digest=sha256(archived).digest(),
            roots=trust.tsa_roots,
        )
    except RevokedError as failure:
        raise Failed("key-revoked", error=str(failure)) from failure
    except SigningError as failure:
        raise Failed("signature", error=str(failure)) from failure
    require_not_expired(token.certificate, at=at)
    return Found(
        {"at": when, "archived_at": token.at, "seal": fingerprint(signed.certificate)},
        against=f"root {trust.root_fingerprint}",
    )


def require_not_expired(certificate: x509.Certificate, *, at: int) -> None:
    """A token proves something as long as its certificate lasts; after that it must be renewed."""
    until = certificate.not_valid_after_utc
    if at > milliseconds(until):
        raise Unavailable("timestamp-expired", until=until.year)
