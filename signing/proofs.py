"""What a bundle proves from the ledger: its entries under a checkpoint, and that none is missing.

Inclusion shows an entry is in the tree. Completeness shows no entry of the session was left out:
the session's seal entry states its first and last `case_seq` and their count, each entry names the
one before it and its session, and the bundle holds them all. What the bundle says of the session
(recording, gaps, document, record, manifest) is what those entries committed to while the call ran.
The receipts the applicant was shown tie that chain to what was seen during the call.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ledger.entry import Leaf, commitment, commitment_sm3, sm3
from ledger.errors import LedgerError
from ledger.generations import Keybook
from ledger.merkle import verify_inclusion
from ledger.note import Checkpoint, Verifier
from ledger.proof import parse_leaf, verify_case
from signing.register import COMPLETED, INTENDED
from signing.report import Failed

SEAL = "session-seal"
_AFTER_SEAL = (SEAL, "session-sealed")
_MOST_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class Chain:
    """The entries of one chain that a bundle carries, each shown to be in the tree."""

    case: str
    leaves: tuple[Leaf, ...]


def open_chain(value: Mapping[str, Any], checkpoint: Checkpoint) -> Chain:
    """Read a chain's file and prove each entry under the checkpoint. Raises Failed."""
    entries: Sequence[Mapping[str, Any]] = value["entries"]
    if len(entries) > _MOST_ENTRIES:
        raise Failed("limits", entries=len(entries))
    leaves = []
    for entry in entries:
        data = str(entry["leaf"]).encode()
        try:
            leaf = parse_leaf(data, index=entry["index"])
            verify_inclusion(
                index=leaf.index,
                size=checkpoint.size,
                leaf=bytes.fromhex(leaf.hash),
                proof=[bytes.fromhex(hash_) for hash_ in entry["inclusion"]],
                root=checkpoint.root,
            )
        except (LedgerError, ValueError) as failure:
            raise Failed("inclusion", index=entry["index"], error=str(failure)) from failure
        if leaf.case != value["chain"]:
            raise Failed("other-chain", index=leaf.index)
        leaves.append(leaf)
    return Chain(value["chain"], tuple(leaves))


def require_in_time(
    checkpoint: Checkpoint, keys: Keybook, *, signer: Verifier | None, timestamped_at: int
) -> None:
    """Require that keys which sign no more were nobody else's when they signed this. Raises Failed.

    signer: the key under the bundle's manifest. timestamped_at: ms, by a clock not the ledger's.
    """
    log = keys.log(checkpoint.origin)
    if log is None:
        raise Failed("other-office", origin=checkpoint.origin)
    ending = log.ending
    last = ending is not None and checkpoint.size == ending.size  # its root has been compared
    if ending is not None and not last and timestamped_at >= ending.before:
        # Whoever has the keys can sign a tree smaller than the last one, with other entries.
        raise Failed("after-leak", timestamped_at=timestamped_at)
    for each in log.generations:
        until = each.until_size
        if signer in each.verifiers and until is not None and checkpoint.size > until:
            raise Failed("key-retired", error=f"the manifest's key was retired at {until}")


def require_complete(chain: Chain, session: str) -> dict[str, Any]:
    """Require that every entry of a session is there, as its seal counts them. Raises Failed."""
    try:
        verify_case(chain.leaves, case=chain.case)
    except LedgerError as failure:
        raise Failed("entry-missing", error=str(failure)) from failure
    seals = [
        leaf
        for leaf in chain.leaves
        if leaf.body.get("kind") == SEAL and leaf.body.get("session") == session
    ]
    if len(seals) != 1:
        raise Failed("no-session-seal", seals=len(seals))
    body = seals[0].body
    first, last, count = body["first_case_seq"], body["last_case_seq"], body["count"]
    # verify_case has shown that case_seq runs 0, 1, 2 ... so the range is there if its end is.
    if not 0 <= first <= last < seals[0].case_seq or count != last - first + 1:
        raise Failed("count", first=first, last=last, count=count, seal=seals[0].case_seq)
    counted = [
        leaf for leaf in _session_leaves(chain, session) if leaf.body.get("kind") not in _AFTER_SEAL
    ]
    kinds = {leaf.body.get("kind") for leaf in counted}
    if (
        _opens(chain.leaves[first]) != session
        or "session-closed" not in kinds
        or not all(first <= leaf.case_seq <= last for leaf in counted)
    ):
        raise Failed("count", first=first, last=last, count=count, seal=seals[0].case_seq)
    return {
        "entries": len(chain.leaves),
        "session_entries": count,
        "first": first,
        "last": last,
        "seal_index": seals[0].index,
        "sealed_at": seals[0].time,
    }


def _session_leaves(chain: Chain, session: str) -> list[Leaf]:
    return [leaf for leaf in chain.leaves if leaf.body.get("session") == session]


def _opens(leaf: Leaf) -> object:
    return leaf.body.get("session") if leaf.body.get("kind") == "session-opened" else None


def require_as_recorded(
    chain: Chain,
    openings: Sequence[Mapping[str, Any]],
    *,
    manifest: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> None:
    """Hold what the bundle says of its session against the entries made while it ran.

    Every segment's digest, every gap, the digests of the signed document, of the record and of the
    session manifest: none more, none less, none other. `openings` are those already held against
    their commitments. Raises Failed.
    """
    session = manifest["session"]["id"]
    leaves = _session_leaves(chain, session)
    opened = {(each["event"], each["name"]): each["sha256"] for each in openings}
    by_sm3 = {(each["event"], each["name"]): each["sm3"] for each in openings if "sm3" in each}

    recorded = {leaf.event: leaf for leaf in leaves if leaf.body.get("kind") == "segment"}
    listed = [segment["event"] for segment in manifest["segments"]]
    if sorted(listed) != sorted(recorded):
        raise Failed("recording", listed=len(listed), recorded=len(recorded))
    for segment in manifest["segments"]:
        event = segment["event"]
        told = {name: segment[name] for name in _SEGMENT}
        if (
            opened.get((event, "segment")) != segment["plaintext_sha256"]
            or {name: recorded[event].body.get(name) for name in _SEGMENT} != told
        ):
            raise Failed("recording", index=recorded[event].index)

    measured = Counter(
        (leaf.body["gap"], *(leaf.body[name] for name in _GAP))
        for leaf in leaves
        if leaf.body.get("kind") == "gap"
    )
    if measured != Counter(
        (gap["kind"], *(gap[name] for name in _GAP)) for gap in manifest["gaps"]
    ):
        raise Failed("recording", gaps=len(manifest["gaps"]), recorded=measured.total())

    def require(leaf: Leaf, item: str, name: str) -> None:
        if opened.get((leaf.event, item)) != sha256(files[name]).hexdigest():
            raise Failed("other-content", name=name, index=leaf.index)
        if by_sm3.get((leaf.event, item), (made := sm3(files[name]).hex())) != made:
            raise Failed("other-content", name=name, index=leaf.index)

    (seal,) = [leaf for leaf in leaves if leaf.body.get("kind") == SEAL]
    require(seal, "manifest", "session/manifest.json")
    require(_newest(leaves, "record_signed"), "content", "session/record.json")
    for name in files:
        if name.startswith("documents/"):
            require(_newest(leaves, "document_signed"), "signed", name)


_SEGMENT = ("participant", "take", "number", "start_at", "end_at")
_GAP = ("participant", "take", "start_at", "end_at")


def _newest(leaves: Sequence[Leaf], evidence: str) -> Leaf:
    """The entry that this evidence was seen; a repeated step sees it again, the last one counts."""
    found = [leaf for leaf in leaves if leaf.body.get("evidence") == evidence]
    if not found:
        raise Failed("other-content", name=evidence)
    return found[-1]


def require_registered(
    chain: Chain, *, number: object, pdf_sha256: str
) -> tuple[Leaf, dict[str, Any]]:
    """The register entry that holds the certificate's digest under its number, and the intent that
    was written before it. Raises Failed."""
    found = [leaf for leaf in chain.leaves if leaf.body.get("kind") == COMPLETED]
    if len(found) != 1:
        raise Failed("not-in-register", entries=len(found))
    leaf = found[0]
    if leaf.body.get("pdf_sha256") != pdf_sha256 or leaf.body.get("number") != number:
        raise Failed("other-certificate", index=leaf.index, sha256=pdf_sha256)
    intended = [
        each
        for each in chain.leaves
        if each.body.get("kind") == INTENDED and each.body.get("number") == number
    ]
    if len(intended) != 1 or intended[0].index > leaf.index:
        raise Failed("no-intent", number=number)
    return leaf, {"index": leaf.index, "number": number, "sha256": pdf_sha256, "at": leaf.time}


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What was opened: how many items, how many of them by SM3 too, and what was not checked.

    `unknown`: the names of digests beside them that this program knows nothing of.
    """

    items: int
    sm3: int
    unknown: tuple[str, ...]


def require_disclosed(openings: Sequence[Mapping[str, Any]], chains: Sequence[Chain]) -> Disclosed:
    """Hold every opened item against its commitments in the ledger. Raises Failed.

    Where an entry commits by SM3 beside SHA-256 both must hold: an opening that leaves one out
    would show a reader who trusts only that one nothing.
    """
    committed = {
        (leaf.event, item["name"]): item
        for chain in chains
        for leaf in chain.leaves
        for item in leaf.body.get("items", ())
    }
    by_sm3, unknown = 0, set()
    for opening in openings:
        event, name = opening["event"], opening["name"]
        item = committed.get((event, name), {})
        salt = bytes.fromhex(opening["salt"])
        if item.get("sha256") != commitment(salt, _opened(opening, "sha256", _sha256)):
            raise Failed("disclosure", name=name, event=event)
        if "sm3" in item or "sm3" in opening:
            if not {"sm3", "content"} & set(opening):
                raise Failed("sm3-not-opened", name=name, event=event)
            if item.get("sm3") != commitment_sm3(salt, _opened(opening, "sm3", sm3)):
                raise Failed("disclosure", name=name, event=event)
            by_sm3 += 1
        unknown |= set(item) - {"name", "sha256", "sm3"}
    return Disclosed(len(openings), by_sm3, tuple(sorted(unknown)))


def _opened(opening: Mapping[str, Any], algorithm: str, digest: Callable[[bytes], bytes]) -> bytes:
    """The digest an opening gives; where it gives the content too, the content must have it."""
    if "content" not in opening:
        return bytes.fromhex(opening[algorithm])
    made = digest(opening["content"].encode())
    if opening.get(algorithm, made.hex()) != made.hex():
        raise Failed("disclosure", name=opening["name"], event=opening["event"])
    return made


def _sha256(content: bytes) -> bytes:
    return sha256(content).digest()


def require_receipts(receipts: Sequence[Mapping[str, Any]], chain: Chain) -> int:
    """Find every entry the applicant was shown in the sealed chain. Raises Failed.

    A session writes entries from its first second on: no receipt at all is none kept.
    """
    if not receipts:
        raise Failed("no-receipts")
    held = {leaf.index: leaf.hash for leaf in chain.leaves}
    for receipt in receipts:
        if held.get(receipt["index"]) != receipt["leaf_hash"]:
            raise Failed("receipt", index=receipt["index"])
    return len(receipts)
