"""An office's directory: how it comes into being, whole or not at all, and how it is read again.

Everything is written into a draft directory beside the final one, which takes its name in one
rename. Drafts that a crash left behind are removed by the next founder, under the lock.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa

from ledger.errors import LedgerError
from ledger.sm2 import Sm2Key
from signing import profiles
from signing.certificates import Issuer, armor, build, subject
from signing.errors import OfficeError
from signing.keys import Keyring, Secret, sync_directory, write_private
from signing.profiles import OfficeProfile
from signing.revocation import Entry, Register

# Fixed when the office is founded: they stand in certificates and in the ledger's checkpoints.
_FIXED = ("name_zh", "name_en", "public_url", "origin", "demo")


def found(directory: Path, profile: OfficeProfile, passphrase: Secret, *, at: int) -> None:
    """Create root, issuing authority and ledger keys in `directory`, which may exist if empty.

    The caller holds the office's lock. Raises OfficeError if something else stands there.
    """
    if directory.exists() and any(directory.iterdir()):
        raise OfficeError(f"{directory} holds files that are no office's; nothing was changed")
    for leftover in directory.parent.glob(f".{directory.name}.draft"):
        shutil.rmtree(leftover)
    draft = directory.parent / f".{directory.name}.draft"
    draft.mkdir(mode=0o700)
    _write_authorities(draft, profile, passphrase, at=at)
    identity = {**{name: getattr(profile, name) for name in _FIXED}, "founded_at": at}
    notaries = [asdict(notary) for notary in profile.notaries]
    content = json.dumps({**identity, "notaries": notaries}, ensure_ascii=False, indent=2)
    write_private(draft / "office.json", content.encode(), exclusive=True)
    draft.rename(directory)
    sync_directory(directory.parent)


def _write_authorities(draft: Path, profile: OfficeProfile, passphrase: Secret, *, at: int) -> None:
    keyring = Keyring(draft, passphrase)
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = build(
        subject(profile, f"{profile.name_zh} 根证书"[:64]),
        root_key.public_key(),
        profiles.ROOT,
        issuer=None,
        key=root_key,
        at=at,
    )
    issuing_key = ec.generate_private_key(ec.SECP256R1())
    issuing = build(
        subject(profile, f"{profile.name_zh} 签发证书"[:64]),
        issuing_key.public_key(),
        profiles.ISSUING,
        issuer=Issuer(profile, root, root_key, "root"),
        key=root_key,
        at=at,
    )
    keyring.write("root", root_key)
    keyring.write("issuing", issuing_key)
    keyring.write("ledger-ed25519", ed25519.Ed25519PrivateKey.generate())
    keyring.write("ledger-mldsa44", mldsa.MLDSA44PrivateKey.generate())
    write_certificate(draft, "root", root)
    write_certificate(draft, "issuing", issuing)
    register = Register(draft / "register.jsonl")
    register.add(Entry("issued", f"{issuing.serial_number:x}", at, "issuing"))


def require_same(directory: Path, profile: OfficeProfile) -> int:
    """Require that the office on disk is the one asked for; return when it was founded (ms)."""
    path = directory / "office.json"
    try:
        stored = json.loads(path.read_text())
        since = int(stored["founded_at"])
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise OfficeError(f"{path} cannot be read; restore it from the backup") from failure
    for name in _FIXED:
        if stored.get(name) != getattr(profile, name):
            raise OfficeError(
                f"the office in {directory} was founded with {name} = {stored.get(name)!r}, which "
                f"stands in its certificates; it cannot become {getattr(profile, name)!r}"
            )
    return since


def sm2_key(directory: Path, keyring: Keyring, origin: str) -> Sm2Key:
    """The ledger's SM2 key, made if there is none yet. The caller holds the office's lock.

    Raises OfficeError when it cannot be used here, KeyFileError.
    """
    try:
        if not (directory / "ledger-sm2.key").exists():
            keyring.write_pkcs8("ledger-sm2", Sm2Key.generate(origin).pkcs8)
        key = Sm2Key.load(origin, keyring.read_pkcs8("ledger-sm2"))
        key.line("")  # better asked now than under the first checkpoint
    except LedgerError as failure:
        raise OfficeError(f"no SM2 line can be signed: {failure}") from failure
    return key


def read_certificate(directory: Path, name: str) -> x509.Certificate:
    """Read one certificate of the office. Raises OfficeError."""
    path = directory / f"{name}.crt"
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as failure:
        raise OfficeError(f"{path} cannot be read; restore it from the backup") from failure


def write_certificate(directory: Path, name: str, certificate: x509.Certificate) -> None:
    """Write one certificate, PEM."""
    write_private(directory / f"{name}.crt", armor(certificate).encode(), exclusive=True)


def newest(directory: Path, name: str) -> tuple[int, x509.Certificate | None]:
    """Find an officer's newest certificate: its number and itself, or (0, None)."""
    numbers = [
        int(path.stem.rpartition("-")[2])
        for path in directory.glob(f"{name}-*.crt")
        if path.stem.rpartition("-")[0] == name and path.stem.rpartition("-")[2].isdigit()
    ]
    if not numbers:
        return 0, None
    return max(numbers), read_certificate(directory, f"{name}-{max(numbers)}")
