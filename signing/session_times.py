"""Between which times a session lies, and who says so: the report that dates its recording.

    1 a checkpoint an outside party signed or stamped  ->  the opening words, read aloud
    2 the first recorded segment's entry
    3 the last one's
    4 the next checkpoint over the session's seal, signed and timestamped

Nobody can know a witness's signature before it is made. So what holds its digest, and everything
chained behind that, is *not before* its time; and what a signature or a token is over is *not
after* its time. A time by the office's own clock is never called another's.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from ledger.entry import Leaf
from ledger.errors import LedgerError
from ledger.note import Verifier, open_checkpoint
from ledger.proof import TlogProof
from signing.errors import SigningError, UnknownIssuerError
from signing.proofs import SEAL
from signing.report import Failed
from signing.tokens import Token, read_token
from signing.trust import Trust

OPENING = "ledger/opening.txt"
"""The note the opening words were drawn from."""
OPENING_TOKEN = "timestamps/opening.tsr"  # noqa: S105 - a file's name
"""An outside authority's token over that note, if the words were drawn from one too."""
SEALED = "ledger/session-seal.txt"
"""The session's seal proven under the first checkpoint over it (C2SP tlog-proof)."""
SEALED_TOKEN = "timestamps/session-seal.tsr"  # noqa: S105 - a file's name

Dated = dict[str, Any]


def session_times(
    leaves: Sequence[Leaf],
    openings: Sequence[Mapping[str, Any]],
    *,
    session: str,
    files: Mapping[str, bytes],
    trust: Trust,
    keys: Sequence[Verifier],
) -> list[Dated]:
    """The report's lines in order, each {"key", ...}; times in ms.

    `leaves`: the case's chain, proven. `openings`: those that were held against their commitments.
    `keys`: the ledger's, all generations that are trusted.
    Raises Failed for a file that is not what the ledger was told.
    """
    ours = [leaf for leaf in leaves if leaf.body.get("session") == session]
    segments = [leaf for leaf in ours if leaf.body.get("kind") == "segment"]
    lines = _not_before(ours, openings, files, trust, keys)
    for key, place in (("first", 0), ("last", -1)):
        if segments:
            lines.append({"key": key, "index": segments[place].index, "at": segments[place].time})
        else:
            lines.append({"key": f"no-{key}"})
    return lines + _not_after(ours, files, trust, keys)


def _not_before(
    leaves: Sequence[Leaf],
    openings: Sequence[Mapping[str, Any]],
    files: Mapping[str, bytes],
    trust: Trust,
    keys: Sequence[Verifier],
) -> list[Dated]:
    drawn = [leaf for leaf in leaves if leaf.body.get("evidence") == "opening_words_issued"]
    # The first words: whatever is chained behind them, all of the recording is, is no older.
    held = files.get(OPENING)
    if not drawn or held is None:
        return [{"key": "no-before", "why": "not-kept"}]
    first = drawn[0]
    opened = {(each["event"], each["name"]): each["sha256"] for each in openings}
    if opened.get((first.event, "checkpoint")) != sha256(held).hexdigest():
        raise Failed("other-content", name=OPENING, index=first.index)
    outside = str(first.body.get("outside", "none"))
    if outside != "signed":
        return [{"key": "no-before", "why": outside if outside == "unavailable" else "none"}]
    try:
        checkpoint = open_checkpoint(held.decode(), keys)
        signed = trust.policy.cosignatures(held.decode())
        enough = trust.policy.asks and trust.policy.holds(held.decode())
    except (LedgerError, UnicodeDecodeError) as failure:
        raise Failed("checkpoint", error=str(failure)) from failure
    dated: list[tuple[int, list[str]]] = []
    times = [each.time * 1000 for each in signed if each.time]
    if enough and times:
        dated.append((min(times), sorted({each.verifier.name for each in signed})))
    dated += _opening_token(first, files, trust)
    return [
        {
            "key": "not-before",
            "at": at,
            "who": who,
            "size": checkpoint.size,
            "age_s": max(0, first.time - at) // 1000,
        }
        for at, who in dated
    ] or [{"key": "no-before", "why": "unknown"}]


def _opening_token(
    first: Leaf, files: Mapping[str, bytes], trust: Trust
) -> list[tuple[int, list[str]]]:
    """The time and authority of the token the words were drawn from, if that is an outsider's."""
    held, named = files.get(OPENING_TOKEN), first.body.get("token_sha256")
    if held is None:
        return []
    if sha256(held).hexdigest() != named:
        raise Failed("other-content", name=OPENING_TOKEN, index=first.index)
    try:
        token = read_token(held, digest=sha256(files[OPENING]).digest(), roots=trust.tsa_roots)
    except UnknownIssuerError:  # nobody this trust.json names
        return []
    except SigningError as failure:
        raise Failed("timestamp", error=str(failure)) from failure
    if token.path[-1] in trust.roots:
        return []
    return [(token.at, [token.certificate.subject.rfc4514_string()])]


def _not_after(
    leaves: Sequence[Leaf],
    files: Mapping[str, bytes],
    trust: Trust,
    keys: Sequence[Verifier],
) -> list[Dated]:
    seals = [leaf for leaf in leaves if leaf.body.get("kind") == SEAL]
    held = files.get(SEALED)
    if not seals or held is None:
        return [{"key": "no-after"}]
    try:
        proof = TlogProof.parse(held.decode())
        checkpoint = proof.verify(seals[0].data, keys)
        signed = trust.policy.cosignatures(proof.checkpoint)
        enough = trust.policy.asks and trust.policy.holds(proof.checkpoint)
        token, known = _token(files, proof.checkpoint.encode(), trust)
    except (LedgerError, UnicodeDecodeError) as failure:
        raise Failed("checkpoint", error=str(failure)) from failure
    except SigningError as failure:
        raise Failed("timestamp", error=str(failure)) from failure
    lines: list[Dated] = []
    times = [each.time * 1000 for each in signed if each.time]
    if enough and times:
        who = sorted({each.verifier.name for each in signed})
        lines.append({"key": "not-after", "at": max(times), "who": who, "size": checkpoint.size})
    if token is not None and token.path[-1] not in trust.roots:
        name = token.certificate.subject.rfc4514_string()
        lines.append({"key": "not-after", "at": token.at, "who": [name], "size": checkpoint.size})
    elif token is not None:
        lines.append({"key": "own-after", "at": token.at, "size": checkpoint.size})
    return lines or [{"key": "no-after"} if known else {"key": "no-after", "why": "unknown"}]


def _token(files: Mapping[str, bytes], note: bytes, trust: Trust) -> tuple[Token | None, bool]:
    """The token over the first checkpoint after, and whether trust.json names its authority."""
    data = files.get(SEALED_TOKEN)
    if data is None:
        return None, True
    try:
        return read_token(data, digest=sha256(note).digest(), roots=trust.tsa_roots), True
    except UnknownIssuerError:
        return None, False
