"""Witness policies: read as C2SP tlog-policy has them, met by exactly their quorum."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import NoteError, PolicyError
from ledger.note import Algorithm, Cosigner, LogKeys, Verifier, sign_checkpoint
from ledger.policy import NO_WITNESSES, Policy
from tests.ledger.house import NOON

ROOT = bytes(range(32))
WITNESSES = [Cosigner.generate(f"w{number}.example") for number in range(6)]
KEYS = [witness.verifiers[number % 2] for number, witness in enumerate(WITNESSES)]
LINES = [f"witness W{number} {key.vkey} https://w{number}" for number, key in enumerate(KEYS)]
EXAMPLE = "\n".join(
    [
        *LINES[:3],
        "group X 2 W0 W1 W2",
        "",
        "  # another organisation's",
        "\t".join(LINES[3].split(" ")),
        *LINES[4:],
        "group Y any W3 W4 W5  ",
        "group X-and-Y all X Y",
        "quorum X-and-Y",
        "",
    ]
)


def policy(text: str) -> Policy:
    return Policy.parse(text.encode())


@given(st.sets(st.integers(0, 5)))
def test_the_quorum_of_the_specification_s_example(signed: set[int]) -> None:
    met = policy(EXAMPLE).met_by({KEYS[number] for number in signed})
    assert met == (len(signed & {0, 1, 2}) >= 2 and bool(signed & {3, 4, 5}))


def test_a_note_s_cosignatures_are_held_against_it(keys: LogKeys) -> None:
    read = policy(EXAMPLE)
    note = sign_checkpoint(keys, size=7, root=ROOT, at=NOON)
    text = note.rpartition("\n\n")[0] + "\n"
    assert read.cosignatures(note) == ()
    assert not read.holds(note)
    two = note + "".join(WITNESSES[number].cosign(text, at=NOON) for number in (0, 1))
    # Of each witness only the key that is named counts: of the first its Ed25519 line.
    assert [each.verifier for each in read.cosignatures(two)] == KEYS[:2]
    assert not read.holds(two)
    three = two + WITNESSES[5].cosign(text, at=NOON)
    assert read.holds(three)
    other = WITNESSES[4].cosign(text.replace("\n7\n", "\n8\n"), at=NOON)
    with pytest.raises(NoteError, match="does not verify"):
        read.holds(three + other)


def test_a_name_with_another_key_is_a_stranger(keys: LogKeys) -> None:
    note = sign_checkpoint(keys, size=7, root=ROOT, at=NOON)
    text = note.rpartition("\n\n")[0] + "\n"
    read = policy(f"{LINES[0]}\nquorum W0\n")
    assert not read.holds(note + Cosigner.generate("w0.example").cosign(text, at=NOON))
    assert read.holds(note + WITNESSES[0].cosign(text, at=NOON))


def test_a_policy_that_asks_for_nobody_is_met() -> None:
    for read in (NO_WITNESSES, policy("quorum none"), policy(f"{LINES[0]}\nquorum none\n")):
        assert not read.asks
        assert read.met_by(())


def test_a_log_is_read_and_its_name_is_its_key_s(keys: LogKeys) -> None:
    ours = keys.verifiers
    text = f"log {ours[0].vkey}\nlog {ours[1].vkey} https://office.example/log\nquorum none\n"
    assert [(log.name, log.verifier, log.url) for log in policy(text).logs] == [
        (keys.origin, ours[0], None),
        (keys.origin, ours[1], "https://office.example/log"),
    ]


def test_the_keys_of_one_address_are_asked_together() -> None:
    first, second = WITNESSES[0].verifiers
    text = (
        f"witness a {first.vkey} http://w\nwitness b {second.vkey} http://w\n{LINES[1]}\n"
        "group both all a b\nquorum both"
    )
    assert policy(text).by_url() == {"http://w": (first, second), "https://w1": (KEYS[1],)}
    policy(text).require_reachable()


def test_a_quorum_nobody_can_be_asked_for_is_told() -> None:
    with pytest.raises(PolicyError, match="no address"):
        policy(f"witness a {KEYS[0].vkey}\nquorum a").require_reachable()


def test_names_are_octets() -> None:
    kelvin, latin = "\u212a".encode(), b"K"
    one, two = KEYS[0].vkey.encode(), KEYS[1].vkey.encode()
    read = Policy.parse(
        b"witness %b %b\nwitness %b %b\ngroup \xff\xfe any %b %b\nquorum \xff\xfe"
        % (kelvin, one, latin, two, kelvin, latin)
    )
    assert read.met_by({KEYS[1]})
    assert not read.met_by(())


TWIN = Verifier(
    "other.example", Algorithm.ED25519_COSIGNATURE, WITNESSES[0].verifiers[0].public
).vkey


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum"),
        (LINES[0], "no quorum"),
        ("quorum", "quorum <name>"),
        ("quorum W0", "not defined"),
        (f"quorum W0\n{LINES[0]}", "line 1 of the policy: 'W0' is not defined"),
        ("quorum none\nquorum none", "already"),
        (f"{LINES[0]}\n{LINES[0]}\nquorum none", "already"),
        (f"{LINES[0]}\nwitness again {TWIN}\nquorum none", "another name"),
        (f"{LINES[0]}\nwitness W0 {KEYS[1].vkey}\nquorum none", "taken"),
        (f"witness none {KEYS[1].vkey}\nquorum none", "taken"),
        (f"{LINES[0]}\ngroup W0 all W0\nquorum W0", "taken"),
        (f"{LINES[0]}\ngroup G all W0 W0\nquorum G", "counts once"),
        (f"{LINES[0]}\ngroup G all W0\ngroup H all W0\nquorum H", "counts once"),
        ("group G all G\nquorum G", "not defined"),
        ("group G all none\nquorum G", "not defined"),
        (f"{LINES[0]}\ngroup G 0 W0\nquorum G", "neither"),
        (f"{LINES[0]}\ngroup G 01 W0\nquorum G", "neither"),
        (f"{LINES[0]}\ngroup G +1 W0\nquorum G", "neither"),
        (f"{LINES[0]}\ngroup G \u0661 W0\nquorum G", "neither"),
        (f"{LINES[0]}\ngroup G 2 W0\nquorum G", "never be met"),
        (f"{LINES[0]}\ngroup G all\nquorum G", "group <name>"),
        (f"{LINES[0]} https://w more\nquorum W0", "witness <name>"),
        ("witness W0\nquorum none", "witness <name>"),
        ("witness W0 nonsense\nquorum none", "line 1"),
        ("log\nquorum none", "log <vkey>"),
        (f"log {WITNESSES[0].verifiers[0].vkey}\nquorum none", "of no use"),
        ("Quorum none", "begins with 'Quorum'"),
        (f"{LINES[0]}\r\nquorum none\r\n", "control"),
        ("quorum none\x00", "control"),
        ("quorum none\x7f", "control"),
        ("quorum\u00a0none", "begins with"),
        ("\n" * 1001 + "quorum none", "too many"),
        ("#" * 1_000_001, "too long"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        policy(text)


def test_a_log_s_own_signature_type_is_no_witness_s(keys: LogKeys) -> None:
    with pytest.raises(PolicyError, match="of no use"):
        policy(f"witness W {keys.verifiers[0].vkey}\nquorum W")


def test_a_thousand_groups_in_a_row_are_evaluated() -> None:
    chain = [f"group G{n} all {f'G{n - 1}' if n else 'W0'}" for n in range(990)]
    read = policy("\n".join([LINES[0], *chain, "quorum G989"]))
    assert read.met_by({KEYS[0]})
    assert not read.met_by({KEYS[1]})


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace")))
@settings(max_examples=200)
def test_no_bytes_raise_a_parser_s_exception(data: bytes) -> None:
    try:
        read = Policy.parse(data)
    except PolicyError:
        return
    assert read.met_by(read.verifiers) or read.asks


@given(st.data())
@settings(max_examples=200)
def test_a_changed_policy_is_refused_or_another_policy(data: st.DataObject) -> None:
    raw = bytearray(EXAMPLE.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        read = Policy.parse(bytes(raw))
    except PolicyError:
        return
    assert read.quorum in {"X-and-Y", "none"} | set(read.groups)
    assert not read.met_by(())
