"""One office, one signed document and one signed certificate for all tests of this room."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.documents import render_certificate, render_document, serif
from signing.ca import IssuedCertificate, Office, open_office
from signing.keys import Secret
from signing.pades import embed, prepare_applicant_signature, sign_certificate
from signing.seal import office_seal_svg, strokes_svg
from tests.documents.sample import CERTIFICATE, CODE, DOCUMENT, VERIFY_URL, handwriting
from tests.signing.bundles import SESSION, Genuine, genuine_bundle
from tests.signing.cast import ACTS, PASSPHRASE, Browser, Clock, profile


@pytest.fixture
def clock() -> Clock:
    return Clock(int(time.time() * 1000))


@pytest.fixture
def open_new(tmp_path: Path, clock: Clock) -> Callable[[], Office]:
    """Open the same office of one's own, again and again, at the test's clock."""
    return lambda: open_office(tmp_path / "office", profile(), Secret(PASSPHRASE), clock=clock)


@pytest.fixture(scope="session")
def office_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "office"


@pytest.fixture(scope="session")
def office(office_directory: Path) -> Office:
    """The shared office: read it, sign with it, do not revoke in it."""
    return open_office(
        office_directory, profile(), Secret(PASSPHRASE), clock=lambda: int(time.time() * 1000)
    )


@pytest.fixture(scope="session")
def browser() -> Browser:
    return Browser(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def applicant(office: Office, browser: Browser) -> IssuedCertificate:
    return office.issue_applicant(
        browser.request(), session_id=SESSION, common_name="周明远", acts=ACTS
    )


@pytest.fixture(scope="session")
def document() -> bytes:
    """The power of attorney as read: not signed."""
    return render_document(DOCUMENT, language="zh-CN", specimen=True)


@pytest.fixture(scope="session")
def signed_document(
    office: Office, browser: Browser, applicant: IssuedCertificate, document: bytes
) -> bytes:
    prepared = prepare_applicant_signature(
        document,
        applicant.certificate,
        applicant.chain,
        at=office.clock(),
        name="周明远",
        strokes=handwriting(),
    )
    return embed(prepared, browser.sign(prepared.signed_attrs), office)


@pytest.fixture(scope="session")
def volume(signed_document: bytes) -> bytes:
    """The certificate volume, drawn and not yet signed."""
    return render_certificate(
        CERTIFICATE,
        document_pdf=signed_document,
        applicant_strokes_svg=strokes_svg(handwriting()),
        notary_strokes_svg=strokes_svg(handwriting(3)),
        seal_svg=office_seal_svg("示例市远山公证处", font=serif(), line="样本"),
        verify_url=VERIFY_URL,
        code=CODE,
        evidence={"v": 1, "session_seal": {"index": 41}, "act_intended": {"index": 43}},
        specimen=True,
    )


@pytest.fixture(scope="session")
def certificate(office: Office, volume: bytes) -> bytes:
    """The signed certificate."""
    return sign_certificate(volume, office, notary_id="lin", at=office.clock())


@pytest.fixture(scope="session")
def genuine(
    office: Office,
    certificate: bytes,
    signed_document: bytes,
    browser: Browser,
    applicant: IssuedCertificate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Genuine:
    """A whole bundle, its certificate, the trust to check it by, and a mirror of the ledger."""
    making = genuine_bundle(
        tmp_path_factory.mktemp("genuine"),
        office=office,
        certificate=certificate,
        document=signed_document,
        browser=browser,
        applicant=applicant,
    )
    return asyncio.run(making)
