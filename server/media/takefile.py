"""One take on disk: an append-only file of encrypted segments, and the way back from it.

    <session>-<participant>-<take>.take  =  ( u32 length, big-endian; ciphertext )*

Opened O_EXCL and O_APPEND, mode 0600; a name is never reused. Everything that touches the disk runs
on the caller's writer thread, in the order it was asked for: encrypt, append, fdatasync, and only
then the fact. After kill -9 the file ends in at most one torn frame, which `recover` leaves aside.
"""

import hashlib
import os
import re
import struct
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from .evidence import TakeDamaged, chain_next, chain_start, label

LENGTH = struct.Struct("!I")
MAX_SEGMENT = 64 << 20  # bytes; a two-second cluster is a hundredth of it
SUFFIX = ".take"

Encrypt = Callable[[bytes, str], bytes]
"""(plaintext, label) -> ciphertext that only opens under the same label. Called on a thread."""

Decrypt = Callable[[bytes, str], bytes]
"""The way back; raises whatever it raises when ciphertext or label were changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """Where a segment lies (`offset` and `length` of its ciphertext) and its digests, hex."""

    number: int
    offset: int
    length: int
    plaintext_sha256: str
    ciphertext_sha256: str
    chain: str


def take_path(directory: Path, session: str, participant: str, take: int) -> Path:
    """The take's file name; names are checked by evidence.checked_name, so `-` separates them."""
    return directory / f"{session}-{participant}-{take}{SUFFIX}"


def parse_name(path: Path) -> tuple[str, str, int]:
    """(session, participant, take) of a take's file name. Raises TakeDamaged."""
    match = re.fullmatch(r"([A-Za-z0-9._]+)-([A-Za-z0-9._]+)-(\d{1,6})\.take", path.name)
    if match is None:
        raise TakeDamaged(f"not the name of a take: {path.name}")
    return match[1], match[2], int(match[3])


class TakeFile:
    """The open file of a running take. All methods run on the writer thread, may raise OSError."""

    def __init__(self, path: Path, encrypt: Encrypt) -> None:
        self.path = path
        self.segments = 0
        self.size = 0
        self._encrypt = encrypt
        self._session, self._participant, self._take = parse_name(path)
        self._chain = chain_start(self._session, self._participant, self._take)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _sync_directory(path.parent)
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def chain(self) -> str:
        """The chain's newest value, hex."""
        return self._chain.hex()

    def append(self, plaintext: bytes) -> StoredSegment:
        """Makes one segment durable. After an OSError the file takes no more."""
        number = self.segments
        ciphertext = self._encrypt(
            plaintext, label(self._session, self._participant, self._take, number)
        )
        frame = LENGTH.pack(len(ciphertext)) + ciphertext
        view = memoryview(frame)
        while view:
            view = view[os.write(self._fd, view) :]
        os.fdatasync(self._fd)
        digest = hashlib.sha256(plaintext).digest()
        self._chain = chain_next(self._chain, digest)
        stored = StoredSegment(
            number=number,
            offset=self.size + LENGTH.size,
            length=len(ciphertext),
            plaintext_sha256=digest.hex(),
            ciphertext_sha256=hashlib.sha256(ciphertext).hexdigest(),
            chain=self._chain.hex(),
        )
        self.segments += 1
        self.size += len(frame)
        return stored

    def close(self) -> None:
        """Closes the file; what was appended is already durable."""
        os.close(self._fd)


def has_space(directory: Path) -> bool:
    """Whether the disk takes a megabyte and says so; asked before a failed recording goes on."""
    probe = directory / f".space-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return False
    try:
        view = memoryview(bytes(1 << 20))
        while view:
            view = view[os.write(fd, view) :]
        os.fdatasync(fd)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(fd)
        probe.unlink(missing_ok=True)


def recover(path: Path, decrypt: Decrypt) -> tuple[StoredSegment, ...]:
    """The segments of a take that are whole and open under their own label, in order.

    Stops at the first that is torn or does not open; what follows it is not looked at. Raises
    TakeDamaged when the name is not a take's, OSError when the file cannot be read.
    """
    return tuple(stored for stored, _ in _walk(path, decrypt))


def read_take(path: Path, decrypt: Decrypt) -> Iterator[bytes]:
    """The plaintext segments of a take in order; joined they are a WebM file that plays."""
    for _, plaintext in _walk(path, decrypt):
        yield plaintext


def ciphertexts(path: Path) -> Generator[tuple[int, bytes]]:
    """(offset, ciphertext) of every whole frame of a take, unopened, in order.

    Stops at what is torn. Raises OSError when the file cannot be read.
    """
    position = 0
    with path.open("rb") as file:
        while True:
            prefix = file.read(LENGTH.size)
            if len(prefix) < LENGTH.size:
                return
            (length,) = LENGTH.unpack(prefix)
            ciphertext = file.read(length) if length <= MAX_SEGMENT else b""
            if not length or len(ciphertext) < length:
                return
            position += LENGTH.size
            yield position, ciphertext
            position += length


def _walk(path: Path, decrypt: Decrypt) -> Iterator[tuple[StoredSegment, bytes]]:
    session, participant, take = parse_name(path)
    chain = chain_start(session, participant, take)
    for number, (offset, ciphertext) in enumerate(ciphertexts(path)):
        try:
            plaintext = decrypt(ciphertext, label(session, participant, take, number))
        except Exception:  # noqa: BLE001 - the vault's own errors; all mean "does not open"
            return
        digest = hashlib.sha256(plaintext).digest()
        chain = chain_next(chain, digest)
        yield (
            StoredSegment(
                number=number,
                offset=offset,
                length=len(ciphertext),
                plaintext_sha256=digest.hex(),
                ciphertext_sha256=hashlib.sha256(ciphertext).hexdigest(),
                chain=chain.hex(),
            ),
            plaintext,
        )


def _sync_directory(directory: Path) -> None:
    """Makes the new name itself durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
