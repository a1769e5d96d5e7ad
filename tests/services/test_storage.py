"""Storage: migrations, the vault, ciphers, objects, the codec, optimistic versions."""

import contextlib
import secrets
import shutil
import sqlite3
import subprocess
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from script import CHEN, LIN, WANG, Play
from sqlalchemy import create_engine, insert
from stage import open_stage

from server.domain.case import Case
from server.domain.errors import DomainError
from server.domain.rules import load_packs
from server.storage import models
from server.storage.cipher import Cipher
from server.storage.codec import decode, encode
from server.storage.database import Database, migrate
from server.storage.objects import Objects
from server.storage.registers import next_serial
from server.storage.vault import Vault, VaultError

CASE = "c" * 32
SECRET = b"s" * 32


def tables(path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        found = {row[0] for row in rows if not row[0].startswith("sqlite_")}
    connection.close()
    return found


@pytest.mark.parametrize(
    ("revision", "made"),
    [
        ("0001", "case_file"),
        ("0002", "account_staff"),
        ("0003", "status_list"),
        ("0004", "erasure"),
        ("0005", "digest"),
    ],
)
def test_each_migration_makes_what_it_says(tmp_path, revision, made):
    path = tmp_path / "farseal.db"
    before = f"{int(revision) - 1:04d}"
    if before != "0000":
        migrate(path, to=before)
        assert made not in tables(path)
    migrate(path, to=revision)
    assert made in tables(path)


def test_the_migrations_make_the_models(tmp_path):
    path = tmp_path / "farseal.db"
    migrate(path)
    migrate(path)  # a second start
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, models.metadata) == []
    engine.dispose()


@pytest.fixture
def vault(tmp_path):
    opened = Vault(tmp_path / "vault.db", secret=SECRET, random=secrets.token_bytes)
    yield opened
    opened.close()


def test_a_case_has_two_keys_that_last(vault, tmp_path):
    vault.create(CASE)
    evidence, register = vault.cipher(CASE), vault.cipher(CASE, "register")
    assert evidence.key != register.key
    vault.create(CASE)
    again = Vault(tmp_path / "vault.db", secret=SECRET, random=secrets.token_bytes)
    assert again.cipher(CASE).key == evidence.key
    again.close()
    assert evidence.key not in (tmp_path / "vault.db").read_bytes()


def test_another_master_secret_opens_nothing(vault, tmp_path):
    vault.create(CASE)
    other = Vault(tmp_path / "vault.db", secret=b"t" * 32, random=secrets.token_bytes)
    with pytest.raises(VaultError, match="master secret"):
        other.cipher(CASE)
    other.close()


def test_destroying_the_evidence_key_leaves_the_register_key(vault):
    vault.create(CASE)
    register = vault.cipher(CASE, "register").key
    vault.destroy(CASE, at=1)
    with pytest.raises(VaultError, match="destroyed"):
        vault.cipher(CASE)
    vault.create(CASE)
    with pytest.raises(VaultError, match="destroyed"):
        vault.cipher(CASE)
    assert vault.cipher(CASE, "register").key == register


def test_a_key_does_not_print():
    assert "key" not in repr(Cipher(b"k" * 32, secrets.token_bytes))


@pytest.mark.parametrize("place", [0, 5, 12, 20, -1])
def test_a_changed_byte_another_key_or_label_opens_nothing(place):
    cipher = Cipher(b"k" * 32, secrets.token_bytes)
    blob = bytearray(cipher.encrypt(b"what was said", "here"))
    assert cipher.decrypt(bytes(blob), "here") == b"what was said"
    for key, label in ((b"k", "there"), (b"l", "here")):
        with pytest.raises(DomainError, match="object-damaged"):
            Cipher(key * 32, secrets.token_bytes).decrypt(bytes(blob), label)
    blob[place] ^= 1
    with pytest.raises(DomainError, match="object-damaged"):
        cipher.decrypt(bytes(blob), "here")


async def test_an_object_is_named_by_its_ciphertext_and_missed_when_it_is_gone(tmp_path):
    objects = Objects(tmp_path / "objects")
    cipher = Cipher(b"k" * 32, secrets.token_bytes)
    stored = await objects.put(b"content", place=CASE, cipher=cipher, label="a")
    assert await objects.get(stored.name, place=CASE, cipher=cipher, label="a") == b"content"
    file = tmp_path / "objects" / CASE / stored.name
    assert b"content" not in file.read_bytes()
    file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(DomainError, match="object-damaged"):
        await objects.get(stored.name, place=CASE, cipher=cipher, label="a")
    file.unlink()
    with pytest.raises(DomainError, match="object-damaged"):
        await objects.get(stored.name, place=CASE, cipher=cipher, label="a")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small file system takes root to mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_disk_is_told_and_loses_nothing(office, small_disk):
    directory = small_disk / "office"
    shutil.copytree(office("waiting"), directory)
    async with open_stage(directory) as stage:
        services = stage.services
        (case,) = await services.workplace.files.cases()
        ballast = directory / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"0" * 4096)
                file.flush()
        with pytest.raises(OSError, match="space"):
            await services.workplace.put(case.id, b"x" * 100_000, label="a")
        with pytest.raises(OSError, match="space"):
            await _write_until_full(services, case.id)
        kept = await services.workplace.files.case(case.id)
        ballast.unlink()
        assert await services.workplace.files.case(case.id) == kept
        await Play(stage, case=case.id).open()


async def _write_until_full(services, case_id: str) -> None:
    rule = services.workplace.pack("poa-remote").consents[2]
    for turn in range(1000):
        await services.intake.consent(
            WANG,
            case_id,
            rule.id,
            given=bool(turn % 2),
            text_sha256=rule.text_sha256("en"),
            language="en",
        )


async def test_everything_of_a_case_survives_being_written_down(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        assert decode(Case, encode(case)) == case
        session = await stage.services.workplace.files.session(case.sessions[-1])
        assert decode(type(session), encode(session)) == session
        assert case.handler == LIN
        assert {claim.by for claim in case.claims} == {CHEN.id}


async def test_somebody_who_read_an_older_version_is_told(office):
    async with open_stage(office("waiting")) as stage:
        files = stage.services.workplace.files
        (case,) = await files.cases()
        async with stage.database.write() as connection:
            with pytest.raises(DomainError, match="case-changed"):
                await files._save_case(
                    connection, replace(case, phone="x"), version=case.version - 1
                )
        assert await files.case(case.id) == case


async def test_a_number_given_back_by_a_rollback_is_given_again(tmp_path):
    database = Database(tmp_path / "farseal.db")
    await database.open()
    pack = load_packs()["poa-remote"]
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await _allocate_and_fail(database, pack.number_class)
    async with database.write() as connection:
        serial = await next_serial(
            connection, office="o", year=2026, number_class=pack.number_class
        )
    assert serial == 1
    await database.close()


async def _allocate_and_fail(database: Database, number_class: str) -> None:
    async with database.write() as connection:
        serial = await next_serial(connection, office="o", year=2026, number_class=number_class)
        assert serial == 1
        await connection.execute(
            insert(models.number).values(
                office="o",
                year=2026,
                number_class=number_class,
                serial=serial,
                text="t",
                status_index=0,
                case_id=CASE,
                intent="i",
                code_sha256="c",
                state="allocated",
                allocated_at=1,
                facts=b"",
            )
        )
        raise RuntimeError
