"""What a verifier believes before it looks at anything: trust.json, from the office or from paper.

It names the roots of certificates and of timestamps, the ledger's keys and which trees each
generation of them signs, ledgers that have ended, the subject of the seal, and the witnesses with
the policy that says how many of them must have signed. It is never taken from the thing that is
verified.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from ledger.errors import LedgerError
from ledger.generations import Keybook, KnownLog
from ledger.policy import NO_WITNESSES, Policy
from ledger.sm2 import Sm2Verifier
from signing.certificates import fingerprint
from signing.errors import TrustError
from signing.keys import write_private

_LARGEST = 1_000_000
_FIELDS = (
    *("v", "office.name_zh", "office.name_en", "demo", "ledger.origin", "ledger.vkeys"),
    *("roots", "tsa_roots", "seal.subject", "witnesses", "valid_from"),
)
"""What no trust.json may lack."""


@dataclass(frozen=True, slots=True)
class Trust:
    """A parsed trust.json. `valid_from` is ms since the epoch.

    `policy` says whose cosignatures a checkpoint must carry, once its tree has `witnessed_from`
    entries; smaller ones are older than the witnesses. `sm2` is a further key of the ledger, whose
    line is checked where it stands and where the extra [gm] is installed.
    """

    name_zh: str
    name_en: str
    demo: bool
    origin: str
    public_url: str
    roots: tuple[x509.Certificate, ...]
    tsa_roots: tuple[x509.Certificate, ...]
    log_keys: Keybook
    seal_subject: str
    policy: Policy
    witnessed_from: int
    valid_from: int
    sm2: Sm2Verifier | None = None

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Trust":
        """Read a trust.json's value. Raises TrustError for one that gives nothing to stand on."""
        _require_fields(value)
        if value["v"] != 1:
            told = "this trust.json is of a version this program does not know"
            raise TrustError(told, reason="version")
        try:
            trust = cls(
                name_zh=str(value["office"]["name_zh"]),
                name_en=str(value["office"]["name_en"]),
                demo=bool(value["demo"]),
                origin=str(value["ledger"]["origin"]),
                public_url=str(value.get("public_url", "")),
                roots=_certificates(value["roots"]),
                tsa_roots=_certificates(value["tsa_roots"]),
                log_keys=read_keys(value),
                seal_subject=str(value["seal"]["subject"]),
                policy=_policy(value),
                witnessed_from=int(value.get("witnessed_from", 0)),
                valid_from=int(value["valid_from"]),
                sm2=_sm2(value["ledger"].get("sm2")),
            )
        except KeyError as missing:  # of a former ledger, a generation, a witness
            raise _lacks(str(missing.args[0])) from missing
        except (TypeError, AttributeError, ValueError, LedgerError) as failure:
            raise _unreadable(failure) from failure
        if not (trust.roots and trust.tsa_roots and trust.log_keys):
            told = "this trust.json names no root, or no key of the ledger"
            raise TrustError(told, reason="empty")
        if trust.sm2 is not None and trust.sm2.name != trust.origin:
            told = "this trust.json names an SM2 key of another ledger"
            raise TrustError(told, reason="other-sm2")
        return trust

    @classmethod
    def load(cls, data: bytes) -> "Trust":
        """Read the bytes of a trust.json. Raises TrustError."""
        if len(data) > _LARGEST:
            raise TrustError("this trust.json is too large to be one", reason="too-large")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as failure:
            raise TrustError("this trust.json is not JSON", reason="not-json") from failure
        if not isinstance(value, dict):
            raise TrustError("this trust.json is not a JSON object", reason="not-object")
        return cls.parse(value)

    @property
    def root_fingerprint(self) -> str:
        """SHA-256 of the first root, lowercase hex: what people compare on paper."""
        return fingerprint(self.roots[0])

    def witnessed_since(self, origin: str) -> int | None:
        """The size of the first tree of a log that must carry the witnesses; None: none must."""
        log = self.log_keys.log(origin)
        ended = log is not None and log.ending is not None
        return log.witnessed_from if log is not None and ended else self.witnessed_from

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside every verdict under this trust."""
        found = []
        if self.demo:
            found.append("demo-office")
        if not self.policy.asks:
            found.append("no-witness")
        if set(self.tsa_roots) <= set(self.roots):
            found.append("own-time")
        elif set(self.tsa_roots) & set(self.roots):
            found.append("own-time-signatures")
        return tuple(found)


def _require_fields(value: Mapping[str, Any]) -> None:
    """Refuse one that lacks something, naming what."""
    for field in _FIELDS:
        found: Any = value
        for name in field.split("."):
            if not isinstance(found, Mapping) or name not in found:
                raise _lacks(field)
            found = found[name]


def _lacks(field: str) -> TrustError:
    told = f'this trust.json lacks the field "{field}"; take it from the office once more'
    return TrustError(told, reason="lacks", field=field)


def _unreadable(failure: Exception) -> TrustError:
    told = f"something in this trust.json is not of the form it must have: {failure}"
    return TrustError(told, reason="form", error=str(failure))


def _sm2(vkey: object) -> Sm2Verifier | None:
    return None if vkey is None else Sm2Verifier.parse(str(vkey))


def read_keys(value: Mapping[str, Any]) -> Keybook:
    """The ledger a trust.json names, and those before it that have ended.

    Raises LedgerError, KeyError, TypeError, ValueError.
    """
    ledger = value["ledger"]
    former = [KnownLog.parse(each) for each in ledger.get("former", [])]
    if any(log.ending is None for log in former):
        told = "this trust.json names a former ledger, but not where it ended"
        raise TrustError(told, reason="not-ended")
    return Keybook((KnownLog.parse(ledger), *former))


def witnessing(policy: Policy, size: int | None) -> Mapping[str, Any]:
    """What trust.json says of the witnesses; size: of the first tree they have signed."""
    if not policy.asks or size is None:
        return {"witnesses": []}
    named = [{"name": each.name, "vkey": each.verifier.vkey} for each in policy.witnesses]
    return {"witnesses": named, "policy": policy.text, "witnessed_from": size}


class TrustFile:
    """The trust.json on an office's disk: always what the office gives out.

    told: what it said when it was opened. That stands until something else is told, so a process
    that knows neither witnesses nor generations of keys forgets none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError):  # it is written anew
            value = {}
        self.told: Mapping[str, Any] = value if isinstance(value, dict) else {}

    def witnesses(self) -> Mapping[str, Any]:
        """What it said of witnesses."""
        names = ("witnesses", "policy", "witnessed_from")
        found = {name: self.told[name] for name in names if name in self.told}
        return found or witnessing(NO_WITNESSES, None)

    def tsa_roots(self) -> tuple[x509.Certificate, ...]:
        """The roots of time stamping authorities it named. Raises TrustError."""
        try:
            return _certificates(self.told.get("tsa_roots", []))
        except (TypeError, AttributeError, ValueError) as failure:
            raise _unreadable(failure) from failure

    def keep(self, value: Mapping[str, Any]) -> None:
        """Write a trust.json, if it says something else."""
        if value != self.told:
            text = json.dumps(value, ensure_ascii=False, indent=2)
            write_private(self._path, text.encode(), exclusive=False)
            self.told = value


def _policy(value: Mapping[str, Any]) -> Policy:
    """The policy; the list of witnesses beside it is for programs that do not read policies."""
    named = {str(witness["vkey"]) for witness in value["witnesses"]}
    if "policy" not in value:
        if named:
            told = "this trust.json names witnesses, but not how many must have signed"
            raise TrustError(told, reason="no-policy")
        return NO_WITNESSES
    policy = Policy.parse(value["policy"].encode())
    if named != {verifier.vkey for verifier in policy.verifiers}:
        told = "this trust.json names other witnesses than its policy"
        raise TrustError(told, reason="other-policy")
    return policy


def _certificates(armored: list[str]) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificate(one.encode()) for one in armored)
