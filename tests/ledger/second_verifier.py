"""A second verifier, written from docs/ledger-format.md alone: nothing of ours is imported.

It is what the document promises: enough to check a mirror's notes, leaves, chains, tiles, root and
register with the standard library and two kinds of signatures. It is slow, plain, and stops at the
first thing that does not hold, with an AssertionError that says what.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ZEROS = "0" * 64
KEYS = {"body", "case", "case_prev", "case_seq", "event", "index", "prev", "time", "v"}
NUMBER = re.compile(r"(.*?)([1-9][0-9]*)([^0-9]*)", re.DOTALL)


# -- "Leaf" ---------------------------------------------------------------------------------------


def canonical(value: Any, depth: int = 0) -> str:
    assert depth <= 32, "nested deeper than 32"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        assert abs(value) < 2**53, "an integer too large"
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(_character, value)) + '"'
    if isinstance(value, list):
        return "[" + ",".join(canonical(each, depth + 1) for each in value) + "]"
    assert isinstance(value, dict), f"{type(value).__name__} has no place in a leaf"
    assert all(key.isascii() for key in value), "a key that is not ASCII"
    pairs = (f"{canonical(key)}:{canonical(value[key], depth + 1)}" for key in sorted(value))
    return "{" + ",".join(pairs) + "}"


def _character(char: str) -> str:
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f"}
    short["\r"] = "\\r"
    return short.get(char) or (f"\\u{ord(char):04x}" if char < " " else char)


def read_leaf(data: bytes) -> dict[str, Any]:
    assert len(data) <= 65_535, "a leaf too long"
    leaf = json.loads(data)
    assert canonical(leaf).encode() == data, "a leaf that is not canonical"
    assert set(leaf) == KEYS, "a leaf with other keys"
    assert leaf["v"] == 1, "a leaf of another version"
    assert isinstance(leaf["body"], dict)
    for key, length in (("case", 32), ("event", 32), ("prev", 64), ("case_prev", 64)):
        assert re.fullmatch(f"[0-9a-f]{{{length}}}", leaf[key]), key
    return leaf


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


# -- "Two chains and a tree, from one hash" -------------------------------------------------------


def root_of(hashes: list[bytes]) -> bytes:
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha256(b"\x01" + root_of(hashes[:half]) + root_of(hashes[half:])).digest()


def check_chains(leaves: Iterable[bytes]) -> list[dict[str, Any]]:
    """The leaves, read; index, `prev`, `time` and each case's own chain hold."""
    read, prev, time = [], ZEROS, 0
    heads: dict[str, tuple[int, str]] = {}
    for index, data in enumerate(leaves):
        leaf = read_leaf(data)
        number, case_prev = heads.get(leaf["case"], (0, ZEROS))
        assert leaf["index"] == index, f"entry {index} says it is {leaf['index']}"
        assert leaf["prev"] == prev, f"entry {index} does not follow the one before"
        assert leaf["time"] >= time, f"entry {index} is earlier than the one before"
        assert (leaf["case_seq"], leaf["case_prev"]) == (number, case_prev), f"entry {index}: case"
        prev, time = leaf_hash(data).hex(), leaf["time"]
        heads[leaf["case"]] = (number + 1, prev)
        read.append(leaf)
    return read


# -- "Commitment" ---------------------------------------------------------------------------------


def commit(key: bytes, label: str, content: bytes) -> tuple[str, str]:
    """Salt and commitment, hex."""
    salt = HKDF(SHA256(), 32, None, label.encode()).derive(key)
    digest = sha256(b"ledger/commit/v1\0" + salt + sha256(content).digest())
    return salt.hex(), digest.hexdigest()


# -- "Checkpoint" and "Witnesses" -----------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A verifier key."""

    name: str
    id: bytes
    kind: int
    public: bytes


def read_vkey(vkey: str) -> Key:
    name, key_id, encoded = vkey.split("+", 2)
    data = b64decode(encoded, validate=True)
    expected = sha256(name.encode() + b"\n" + data).digest()[:4]
    assert expected.hex() == key_id, "a verifier key with another's id"
    return Key(name, expected, data[0], data[1:])


def signers(note: str, keys: list[Key]) -> tuple[str, list[Key]]:
    """A note's text and the known keys that signed it; a line of theirs that fails raises."""
    text, _, tail = note.rpartition("\n\n")
    text, found = text + "\n", []
    for line in tail.splitlines():
        dash, name, encoded = line.split(" ")
        assert dash == "\u2014"
        data = b64decode(encoded, validate=True)
        for key in keys:
            if (key.name, key.id) == (name, data[:4]):
                _verify(key, text, data[4:])
                found.append(key)
    return text, found


def _verify(key: Key, text: str, signature: bytes) -> None:
    """Raises InvalidSignature."""
    if key.kind == 0x01:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
        return
    time, signature = signature[:8], signature[8:]
    if key.kind == 0x04:
        message = f"cosignature/v1\ntime {int.from_bytes(time, 'big')}\n{text}".encode()
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
        return
    assert key.kind == 0x06, f"a key of kind {key.kind}"
    origin, size, root = text.splitlines()
    message = b"subtree/v1\n\0" + _short(key.name) + time + _short(origin) + bytes(8)
    message += int(size).to_bytes(8, "big") + b64decode(root)
    MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)


def _short(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


# -- "Keys that change" ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Generation:
    """Two keys that sign together, and the sizes of the trees they sign."""

    keys: tuple[Key, ...]
    from_size: int = 0
    until_size: int | None = None

    def signs(self, size: int) -> bool:
        return self.from_size <= size and (self.until_size is None or size <= self.until_size)


def own_case(origin: str) -> str:
    return sha256(b"ledger/log/v1\0" + origin.encode()).hexdigest()[:32]


def known_from(trust: dict[str, Any], origin: str) -> list[Generation]:
    """The generations that a trust.json names for a log, the present one or a former."""
    ledger = trust["ledger"]
    log = next(each for each in (ledger, *ledger.get("former", [])) if each["origin"] == origin)
    listed = log.get("generations", [{"vkeys": log["vkeys"], "from_size": 0}])
    return [
        Generation(tuple(map(read_vkey, g["vkeys"])), g["from_size"], g.get("until_size"))
        for g in listed
    ]


def learn(known: list[Generation], leaf: dict[str, Any]) -> list[Generation]:
    """What follows from an entry of the log's own case."""
    body, index = leaf["body"], leaf["index"]
    keys = tuple(map(read_vkey, body["keys"]))
    if body["kind"] == "keys-rotated":
        if any(each.keys == keys for each in known):
            return known
        return [*known, Generation(keys, index + 1)]
    assert body["kind"] == "keys-retired", "an entry that names no keys"
    assert any(each.keys == keys for each in known), "keys retired that never signed"
    return [
        Generation(each.keys, each.from_size, index) if each.keys == keys else each
        for each in known
    ]


def follow(known: list[Generation], text: str) -> list[Generation]:
    """What one knows after a handover."""
    first, leaf, proof = text.split("\n", 2)
    assert first == "ledger/handover/v1"
    check_proof(proof, leaf.encode(), known)
    read = read_leaf(leaf.encode())
    assert read["case"] == own_case(known[0].keys[0].name), "not the log's own case"
    return learn(known, read)


def follow_all(folder: Path, known: list[Generation]) -> list[Generation]:
    """Follow a mirror's handovers in order, up to the first that is not there."""
    number = 1
    while (path := folder / "keys" / str(number)).exists():
        known = follow(known, path.read_text("utf-8"))
        number += 1
    return known


def open_note(note: str, keys: list[Key] | list[Generation]) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint that a whole generation has signed which may.

    Keys without a generation are one.
    """
    plain = tuple(each for each in keys if isinstance(each, Key))
    generations = [each for each in keys if isinstance(each, Generation)]
    generations += [Generation(plain)] if plain else []
    text, found = signers(note, [key for each in generations for key in each.keys])
    origin, size, root, *rest = text.split("\n")
    assert rest == [""], "extension lines"
    assert str(int(size)) == size
    held = [
        each
        for each in generations
        if (ours := {key for key in each.keys if key.name == origin}) and ours <= set(found)
    ]
    assert held, "a line is missing"
    assert any(each.signs(int(size)) for each in held), "signed by keys that may not"
    return origin, int(size), b64decode(root, validate=True)


def require_ending(log: dict[str, Any], size: int, root: bytes, dated: int | None) -> None:
    """What a log that ended may still show. dated: ms, the time of the checkpoint's token."""
    ending = log.get("ending")
    if ending is None:
        return
    assert size <= ending["size"], "beyond the log's end"
    if size == ending["size"]:
        assert root.hex() == ending["root"], "another last tree"
        return
    assert dated is not None, "a smaller tree without a token"
    assert dated < ending["before"], "dated after the leak"


# -- "Proof of an entry" --------------------------------------------------------------------------


def check_proof(text: str, leaf: bytes, keys: list[Key] | list[Generation]) -> int:
    """The index at which a leaf is proven to be."""
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    lines = [line for line in lines if not line.startswith("extra ")]
    index = int(lines.pop(0).removeprefix("index "))
    _, size, root = open_note(note, keys)
    path = [b64decode(line, validate=True) for line in lines]
    assert all(len(each) == 32 for each in path)
    assert index < size
    node, last, found = index, size - 1, leaf_hash(leaf)
    for each in path:  # RFC 9162 2.1.3.2
        assert last > 0, "the path is too long"
        if node & 1 or node == last:
            found = sha256(b"\x01" + each + found).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + each).digest()
        node, last = node >> 1, last >> 1
    assert (last, found) == (0, root), "the path leads elsewhere"
    assert read_leaf(leaf)["index"] == index
    return index


# -- "What a log shows", "Mirror and audit" -------------------------------------------------------


def read_mirror(folder: Path, vkeys: Iterable[str]) -> list[dict[str, Any]]:
    """Every entry of a mirror, after all that can be checked without another file was checked.

    vkeys: those of one generation, the mirror's handovers lead to the others.
    """
    keys = follow_all(folder, [Generation(tuple(map(read_vkey, vkeys)))])
    origin, size, root = open_note((folder / "checkpoint").read_text("utf-8"), keys)
    leaves = list(_leaves(folder, size))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert len(leaves) == size
    assert root_of(hashes) == root, "the entries do not lead to the signed root"
    entries = check_chains(leaves)
    _check_tiles(folder, hashes)
    kept = folder / "checkpoints"
    for path in kept.iterdir() if kept.is_dir() else ():
        if path.name.isdecimal():
            seen = open_note(path.read_text("utf-8"), keys)
            assert seen == (origin, int(path.name), root_of(hashes[: int(path.name)])), path.name
    _check_register(origin, entries)
    return entries


def _path(kind: str, number: int, width: int) -> str:
    groups = re.findall("...", f"{number:0{-(-len(str(number)) // 3) * 3}d}")
    name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{kind}/{name}" + ("" if width == 256 else f".p/{width}")


def _read(folder: Path, kind: str, number: int, width: int) -> bytes:
    """A file, or the full one in the place of a partial one."""
    path = folder / _path(kind, number, width)
    return (path if path.exists() else folder / _path(kind, number, 256)).read_bytes()


def _leaves(folder: Path, size: int) -> Iterator[bytes]:
    for start in range(0, size, 256):
        width = min(256, size - start)
        data = _read(folder, "entries", start // 256, width)
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            yield data[2 : 2 + length]
            data = data[2 + length :]


def _check_tiles(folder: Path, hashes: list[bytes]) -> None:
    level = 0
    while hashes:
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256]
            found = _read(folder, str(level), start // 256, len(part))
            assert found[: 32 * len(part)] == b"".join(part), f"tile {level}/{start // 256}"
        whole = len(hashes) // 256 * 256
        hashes = [root_of(hashes[start : start + 256]) for start in range(0, whole, 256)]
        level += 1


def _check_register(origin: str, entries: list[dict[str, Any]]) -> None:
    register = sha256(b"farseal/register/v1\0" + origin.encode()).hexdigest()[:32]
    serials: dict[tuple[str, str], int] = {}
    given: dict[str, int] = {}
    completed: set[str] = set()
    base = 0
    if entries and entries[0]["body"].get("kind") == "log-began":
        assert entries[0]["case"] == own_case(origin), "a log that another's entry began"
        carried = entries[0]["body"]["register"]
        serials = {(each["before"], each["after"]): each["last"] for each in carried["series"]}
        base = carried["status_index"]
    before = dict(serials)
    for leaf in entries:
        body, where = leaf["body"], f"entry {leaf['index']}"
        kind = body.get("kind")
        assert kind not in {"act-intended", "act-completed"} or leaf["case"] == register, where
        if kind == "act-intended":
            number = body["number"]
            match = NUMBER.fullmatch(number)
            assert match, f"{where}: no number"
            assert number not in given, f"{where}: {number} given out twice"
            series = match[1], match[3]
            assert int(match[2]) == serials.get(series, 0) + 1, f"{where}: a gap before {number}"
            assert body["status_index"] == base + len(given), f"{where}: status_index"
            serials[series] = int(match[2])
            given[number] = body["status_index"]
        elif kind == "act-completed":
            assert given[body["number"]] == body["status_index"], where
            assert body["number"] not in completed, f"{where}: completed twice"
            assert re.fullmatch("[0-9a-f]{64}", body["pdf_sha256"]), where
            completed.add(body["number"])
        elif leaf["case"] == register and "number" in body:
            match = NUMBER.fullmatch(body["number"])
            older = match and int(match[2]) <= before.get((match[1], match[3]), 0)
            assert body["number"] in given or older, f"{where}: an unknown number"
            assert not older or body["status_index"] < base, f"{where}: status_index"
