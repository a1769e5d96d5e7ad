"""One function for each parser of bytes that strangers send, and seeds that get past its door.

A target catches the errors its parser is there to raise, and no other. What a parser lets through
is held against what was truly signed: a changed note that verifies is a failure too.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.bodies import Bodies
from ledger.entry import NO_HASH, Leaf, canonical_json, parse_canonical
from ledger.errors import EntryError, LedgerError, NotFoundError
from ledger.fork import ForkProof
from ledger.generations import RETIRED, ROTATED, Keybook, learn
from ledger.handover import Handover
from ledger.merkle import Pyramid, Tree, expand, leaf_hash
from ledger.note import Checkpoint, Cosigner, LogKeys, Verifier, open_checkpoint, sign_checkpoint
from ledger.policy import Policy
from ledger.proof import TlogProof, parse_leaf
from ledger.replay import split_bundle
from ledger.tiles import Mirror, parse_tile_path, read_bundle, tile_path, write_bundle
from ledger.witness import Answer, Refused, Request, Row, judge, read_answer
from signing.errors import TrustError
from signing.trust import Trust

NOON = 1_795_442_400_000
_ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(32))
_MLDSA44 = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
KEYS = LogKeys("office.example/ledger", _ED25519, _MLDSA44)
BOOK = Keybook.of(KEYS.verifiers)
WITNESS = Cosigner("witness.example/w1", _ED25519, _MLDSA44)
LEAVES = [
    canonical_json(
        {
            "body": {"kind": "evidence", "items": [{"name": "video", "n": number}]},
            "case": f"{7:032x}",
            "case_prev": NO_HASH,
            "case_seq": number,
            "event": f"{number:032x}",
            "index": number,
            "prev": NO_HASH,
            "time": NOON,
            "v": 1,
        }
    )
    for number in range(5)
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def _tile(level: int, number: int, width: int) -> Pyramid:
    assert level == number == 0
    return expand(HASHES[:width])


TREE = Tree(len(LEAVES), _tile)
NOTE = sign_checkpoint(KEYS, size=TREE.size, root=TREE.root(), at=NOON)
SMALLER = sign_checkpoint(KEYS, size=3, root=Tree(3, _tile).root(), at=NOON)
TEXT = Checkpoint.unverified(NOTE).text
COSIGNED = WITNESS.cosign(TEXT, at=NOON)
POLICY = "\n".join(
    [
        f"log {KEYS.verifiers[0].vkey} https://office.example/log/",
        f"witness a {WITNESS.verifiers[0].vkey} https://witness.example",
        f"witness b {WITNESS.verifiers[1].vkey}",
        "group both all a b",
        "group one 1 a both  # or the old one",
        "quorum one",
    ]
)


def _text(data: bytes) -> str:
    # Lone surrogates too: a str from a careless caller may hold them.
    return data.decode("utf-8", "surrogateescape")


@contextmanager
def _may_raise(*errors: type[Exception]) -> Iterator[None]:
    with suppress(*errors):
        yield


def note(data: bytes) -> None:
    with _may_raise(LedgerError):
        assert open_checkpoint(_text(data), KEYS.verifiers) == Checkpoint.parse(TEXT)


def checkpoint(data: bytes) -> None:
    with _may_raise(LedgerError):
        text = _text(data)
        assert Checkpoint.parse(text).text == text
    with _may_raise(LedgerError):
        Checkpoint.parse(_text(data), extensions=True)


def vkey(data: bytes) -> None:
    with _may_raise(LedgerError):
        assert Verifier.parse(_text(data)).vkey == _text(data)


def proof(data: bytes) -> None:
    with _may_raise(LedgerError):
        found = TlogProof.parse(_text(data))
        for index, leaf in enumerate(LEAVES):
            with _may_raise(LedgerError):
                assert found.verify(leaf, KEYS.verifiers).size == TREE.size
                assert found.index == index
                parse_leaf(leaf, index=index)


def fork(data: bytes) -> None:
    """There is no fork in this log, so none is proven."""
    with _may_raise(LedgerError):
        ForkProof.parse(_text(data)).verify(KEYS.verifiers)
        raise AssertionError("a fork was proven where there is none")


def leaf(data: bytes) -> None:
    with _may_raise(EntryError):
        assert Leaf.parse(data).data == data


def body(data: bytes) -> None:
    """The fast reader and the strict one agree, whatever was read before."""
    bodies = Bodies()
    for part in data.split(b"\n"):
        try:
            bodies.require(part)
            fast = True
        except EntryError:
            fast = False
        try:
            strict = type(Leaf.parse(_around(part)).body) is dict
        except EntryError:
            strict = False
        assert not strict or fast
        assert not (fast and part[:1] == b"{" and len(part) < 60_000) or strict


def _around(part: bytes) -> bytes:
    _, _, rest = LEAVES[0].partition(b',"case":')
    return b'{"body":' + part + b',"case":' + rest


def bundle(data: bytes) -> None:
    leaves, rest = split_bundle(data)
    assert write_bundle(leaves) + rest == data
    with _may_raise(LedgerError):
        assert write_bundle(read_bundle(data)) == data


def path(data: bytes) -> None:
    with _may_raise(NotFoundError):
        assert tile_path(*parse_tile_path(_text(data))) == _text(data)


def mirror(data: bytes) -> None:
    """A mirror whose every file is hostile; parts are set apart by the byte ff."""
    files = dict(zip(("checkpoint", "tile", "entries"), data.split(b"\xff", 2), strict=False))

    def fetch(path: str) -> bytes:
        kind = "checkpoint" if path == "checkpoint" else path.split("/")[-2]
        found = files.get({"0": "tile", "000.p": "tile"}.get(kind, kind))
        if found is None:
            raise FileNotFoundError(path)
        return found

    with _may_raise(LedgerError):
        view = Mirror(fetch).open(KEYS.verifiers)
        for index in range(view.size):
            with _may_raise(LedgerError):
                assert view.leaf(index).data == LEAVES[index]


def policy(data: bytes) -> None:
    with _may_raise(LedgerError):
        found = Policy.parse(data)
        assert Policy.parse(found.text.encode()) == found
        found.holds(NOTE + COSIGNED)
        found.by_url()


def trust(data: bytes) -> None:
    with _may_raise(TrustError):
        Trust.load(data)


def request(data: bytes) -> None:
    """To a witness that has cosigned three entries: only the true growth is judged right."""
    row = Row(3, Tree(3, _tile).root(), NOON // 1000, SMALLER)
    with _may_raise(Refused):
        judged = judge(data, logs={KEYS.origin: KEYS.verifiers}, row=lambda origin: row)
        assert judged.checkpoint in (Checkpoint.parse(TEXT), Checkpoint.unverified(SMALLER))


def answer(data: bytes) -> None:
    for status, media in ((200, "text/plain"), (409, "text/x.tlog.size"), (422, ""), (500, "")):
        with _may_raise(LedgerError):
            read_answer(
                Answer(status, data, media), text=TEXT, verifiers=WITNESS.verifiers, at=NOON
            )


def handover(data: bytes) -> None:
    """None of this log's leaves names keys, so nothing follows from any."""
    with _may_raise(LedgerError):
        Handover.parse(_text(data)).follow(BOOK)
        raise AssertionError("keys were learnt where none are named")


def generations(data: bytes) -> None:
    """What a log that lies about its keys may sign: any canonical body."""
    with _may_raise(LedgerError):
        body = parse_canonical(data)
        if type(body) is dict:
            learn(BOOK.logs[0].generations, body, 3)


@dataclass(frozen=True, slots=True)
class Target:
    """What is called, and inputs that its parser takes."""

    call: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _trust_seed() -> bytes:
    """The outline of a trust.json; its certificates are none."""
    key = KEYS.verifiers[0].vkey
    value = {
        "v": 1,
        "office": {"name_zh": "示", "name_en": "Demo"},
        "demo": True,
        "ledger": {"origin": KEYS.origin, "vkeys": [key]},
        "roots": ["-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"],
        "tsa_roots": [],
        "seal": {"subject": "CN=x"},
        "policy": POLICY,
        "witnesses": [{"name": "a", "vkey": WITNESS.verifiers[0].vkey}],
        "witnessed_from": 0,
        "valid_from": 0,
    }
    return json.dumps(value).encode()


def _proofs() -> Iterator[bytes]:
    for index in range(TREE.size):
        hashes = tuple(each.hex() for each in TREE.inclusion(index))
        yield TlogProof(index, hashes, NOTE).text.encode()
    yield TlogProof(0, hashes, NOTE, b"extra").text.encode()


def _forks() -> Iterator[bytes]:
    lines = [b64encode(each).decode() for each in TREE.consistency(3)]
    yield "\n".join(["ledger/fork/v1", *lines, "", SMALLER, NOTE]).encode()
    yield f"ledger/fork/v1\n\n{SMALLER}\n{NOTE}".encode()


_HANDOVER = Handover(LEAVES[2], TlogProof.parse(list(_proofs())[2].decode())).text.encode()
_OTHERS = LogKeys.generate(KEYS.origin).verifiers
_BODIES = [
    {
        "kind": kind,
        "keys": [each.vkey for each in keys],
        "before": [each.vkey for each in KEYS.verifiers],
    }
    for kind, keys in ((ROTATED, _OTHERS), (RETIRED, KEYS.verifiers))
]
_GROWTH = Request(3, tuple(TREE.consistency(3)), NOTE)
_TILE, _BUNDLE = b"".join(HASHES), write_bundle(LEAVES)
TARGETS = {
    "note": Target(note, (NOTE.encode(), (NOTE + COSIGNED).encode())),
    "checkpoint": Target(checkpoint, (TEXT.encode(), (TEXT + "extension\n").encode())),
    "vkey": Target(vkey, tuple(each.vkey.encode() for each in KEYS.verifiers)),
    "proof": Target(proof, tuple(_proofs())),
    "fork": Target(fork, tuple(_forks())),
    "leaf": Target(leaf, (LEAVES[0], LEAVES[4])),
    "body": Target(body, (b'{"kind":"a","n":1}\n{"kind":"b","n":2}', b'{"t":"\\u0001"}\n{}')),
    "bundle": Target(bundle, (_BUNDLE,)),
    "path": Target(path, (b"tile/0/x001/234.p/5", b"tile/entries/000", b"tile/63/255")),
    "mirror": Target(mirror, (b"\xff".join((NOTE.encode(), _TILE, _BUNDLE)),)),
    "policy": Target(policy, (POLICY.encode(), b"quorum none\n")),
    "trust": Target(trust, (_trust_seed(),)),
    "request": Target(request, (_GROWTH.text.encode(), b"old 3\n\n" + SMALLER.encode())),
    "handover": Target(handover, (_HANDOVER,)),
    "generations": Target(generations, tuple(map(canonical_json, _BODIES))),
    "answer": Target(answer, (COSIGNED.encode(), b"5\n")),
}
