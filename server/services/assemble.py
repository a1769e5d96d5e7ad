"""One way to put the services together; `server.app` hands in what they stand on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.entry import commitment, commitment_sm3, derive_salt, sm3
from server.domain.calendar import Calendar, load_calendar
from server.domain.fields import MissingGlyphs
from server.domain.rules import RulePack, load_packs
from server.domain.words import load_words
from server.journal import Journal
from server.services.appointments import Appointments
from server.services.approval import Approval
from server.services.archive import Archive, RecoverTakes, Takes
from server.services.ceremony import Ceremony
from server.services.certificates import Certificates, RenderCertificate
from server.services.closing import Closing, ConfirmTotp, StartJob
from server.services.conduct import Conduct, Fingerprint, SpellWords
from server.services.delivery import Delivery
from server.services.documents import Documents, DrawPages, RenderDocument
from server.services.evidence_bundle import EvidenceBundles
from server.services.identity import Analysis, IdentityDesk
from server.services.intake import Intake
from server.services.ledger_port import Ledger
from server.services.opening import Stamp, drawing_from
from server.services.reception import Reception
from server.services.recordings import Recordings
from server.services.sealing import Passed, Sealing
from server.services.session_dates import SessionDates
from server.services.session_view import Presence
from server.services.signatures import Signatures
from server.services.status_lists import StatusLists
from server.services.untold import NothingUntold, Untold
from server.services.verification import Verification
from server.services.workplace import OfficeFacts, Workplace
from server.storage import recordings as recorded
from server.storage.cases import CaseFiles
from server.storage.database import Database
from server.storage.digests import Beside
from server.storage.findings import Findings
from server.storage.objects import Objects
from server.storage.outbox import Outbox
from server.storage.registers import Registers
from server.storage.sealed import SealedEntries
from server.storage.vault import Vault
from signing.ca import Office


@dataclass(frozen=True, slots=True)
class Drawing:
    """What `server.documents` and `signing.seal` draw, as callables."""

    document: RenderDocument
    certificate: RenderCertificate
    pages: DrawPages
    missing_glyphs: MissingGlyphs
    seal_svg: Callable[[], str]
    notary_svg: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Services:
    """Every service, once."""

    workplace: Workplace
    intake: Intake
    appointments: Appointments
    reception: Reception
    ceremony: Ceremony
    recordings: Recordings
    identity: IdentityDesk
    signatures: Signatures
    documents: Documents
    approval: Approval
    sealing: Sealing
    delivery: Delivery
    verification: Verification
    archive: Archive


def open_files(
    database: Database,
    vault: Vault,
    office: OfficeFacts,
    *,
    packs: Mapping[str, RulePack] | None = None,
) -> CaseFiles:
    """The case files, with the ledger's own commitments; by SM3 too where a rule pack asks."""
    asking = {each.id for each in (packs or load_packs()).values() if each.sm3_commitments}
    beside = Beside(
        asks=asking.__contains__, digest=lambda content: sm3(content).hex(), commit_to=commit_by_sm3
    )
    return CaseFiles(database, vault, commit_to=commit_to, register=office.register, beside=beside)


def commit_to(key: bytes, label: str, content_sha256: str) -> str:
    """The salted commitment to content: the salt follows from the case's key and the label."""
    return commitment(derive_salt(key, label), bytes.fromhex(content_sha256))


def commit_by_sm3(key: bytes, label: str, content_sm3: str) -> str:
    """The SM3 commitment to content, with the same salt."""
    return commitment_sm3(derive_salt(key, label), bytes.fromhex(content_sm3))


def assemble(
    *,
    files: CaseFiles,
    vault: Vault,
    objects: Objects,
    journal: Journal,
    ledger: Ledger,
    office: Office,
    facts: OfficeFacts,
    clock: Callable[[], int],
    random: Callable[[int], bytes],
    drawing: Drawing,
    analysis: Analysis,
    spell: SpellWords,
    fingerprint: Fingerprint,
    presence: Presence,
    confirm_totp: ConfirmTotp,
    start: StartJob,
    recover_takes: RecoverTakes,
    takes: Takes,
    packs: Mapping[str, RulePack] | None = None,
    calendar: Calendar | None = None,
    untold: Untold | None = None,
    stamped: Stamp | None = None,
    passed: Passed = lambda _name: None,
) -> Services:
    """Build every service. Nothing is started here; nothing here is owned by the services."""
    database = files.database
    untold = untold or NothingUntold()
    workplace = Workplace(
        files=files,
        objects=objects,
        vault=vault,
        outbox=Outbox(database),
        recordings=recorded.Recordings(database),
        findings=Findings(database, vault),
        registers=Registers(database),
        packs=packs or load_packs(),
        calendar=calendar or load_calendar(),
        words=load_words(),
        office=facts,
        clock=clock,
        random=random,
        seals_wait_for=lambda: "space" if untold.short_of_space else ledger.pending,
    )
    glyphs = drawing.missing_glyphs
    sealed = SealedEntries(database)
    intake = Intake(workplace, missing_glyphs=glyphs)
    dates = SessionDates(workplace, ledger=ledger, office=office)
    reception = Reception(workplace, intake, missing_glyphs=glyphs, dates=dates)
    conduct = Conduct(
        workplace, spell=spell, presence=presence, say=analysis.say, fingerprint=fingerprint
    )
    documents = Documents(workplace, render=drawing.document, draw_pages=drawing.pages)
    signatures = Signatures(conduct, documents, office=office)
    closing = Closing(conduct, office=office, confirm_totp=confirm_totp, start=start)
    status_lists = StatusLists(workplace, office=office)
    bundles = EvidenceBundles(workplace, signatures, status_lists, ledger=ledger, office=office)
    certificates = Certificates(
        workplace,
        signatures,
        sealed,
        office=office,
        render=drawing.certificate,
        seal_svg=drawing.seal_svg,
        notary_svg=drawing.notary_svg,
    )
    sealing = Sealing(
        workplace,
        journal=journal,
        ledger=ledger,
        sealed=sealed,
        make_certificate=certificates.make,
        make_bundle=bundles.make,
        log_status=status_lists.log,
        untold=untold,
        passed=passed,
    )
    recordings = Recordings(conduct)
    delivery = Delivery(workplace, intake, signatures, bundles, sealed, ledger=ledger)
    return Services(
        workplace=workplace,
        intake=intake,
        appointments=Appointments(workplace, intake),
        reception=reception,
        ceremony=Ceremony(
            conduct, documents, closing, journal=journal, draw=drawing_from(ledger, clock, stamped)
        ),
        recordings=recordings,
        identity=IdentityDesk(conduct, analysis),
        signatures=signatures,
        documents=documents,
        approval=Approval(
            workplace,
            reception,
            journal=journal,
            ledger=ledger,
            confirm_totp=confirm_totp,
            start=start,
        ),
        sealing=sealing,
        delivery=delivery,
        verification=Verification(workplace, delivery, status_lists),
        archive=Archive(
            conduct,
            recordings,
            sealing,
            recover_takes=recover_takes,
            takes=takes,
            ledger=ledger,
            passed=passed,
        ),
    )
