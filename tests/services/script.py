"""The script of one case: what applicant, notary and approver do, scene by scene.

Every scene begins from what is stored, so that a play broken off anywhere can go on in another
process. Nothing is remembered here but the browser's key.
"""

import base64
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from stage import Stage

from server.domain.evidence import Segment
from server.domain.participant import Applicant, Staff
from server.domain.resident_id import check_character
from server.media.takefile import TakeFile, take_path

WANG = Applicant(id="a" * 32, phone="13800000001")
LIN = Staff("notary", "notary", "林望舒", "Lin Wangshu", "D0000001", "2020-01-01", "2099-12-31")
CHEN = Staff("approver", "approver", "陈审", "Chen Shen")
ZHAO = Staff("assistant", "assistant", "赵助", "Zhao Zhu")
TOTP = "000000"


def number(digits: str = "11010119900307123") -> str:
    return digits + check_character(digits)


FORM: dict[str, Any] = {
    "applicant_name": "王小明",
    "document_type": "resident_id",
    "document_number": number(),
    "applicant_address": "某省某市某路1号",
    "attorney_name": "王大海",
    "attorney_number": number("11010119600307123"),
    "attorney_relation": "parent",
    "purpose": "house",
    "subject": "远山市某路2号房屋",
    "powers": ["sign", "submit"],
    "term_until": "2090-01-01",
    "sub_delegation": False,
}


@dataclass
class Play:
    """One case on a stage."""

    stage: Stage
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    case: str = ""
    sid: str = ""
    clusters: int = 1  # in each take

    # -- before ------------------------------------------------------------------------------------

    async def apply(self) -> None:
        intake = self.stage.services.intake
        view = await intake.create(WANG, matter="poa-remote", language="zh-CN")
        self.case = view["id"]
        for key, value in FORM.items():
            told = await intake.fill(WANG, self.case, field=key, value=value)
            assert told["problems"] == {}, told
        card = {"kind": "identity", "name": "card.jpg", "media_type": "image/jpeg"}
        await intake.add_paper(WANG, self.case, content=b"x", **card)
        await intake.submit(WANG, self.case, language="zh-CN")

    async def accept(self) -> None:
        reception = self.stage.services.reception
        await reception.precheck(ZHAO, self.case, language="zh-CN")
        await reception.accept(LIN, self.case, conflict_checked=True, language="zh-CN")

    async def prepare(self) -> None:
        services = self.stage.services
        for consent in services.intake.matter("poa-remote")["consents"]:
            await services.intake.consent(
                WANG,
                self.case,
                consent["id"],
                given=True,
                text_sha256=consent["text_sha256"]["zh-CN"],
                language="zh-CN",
            )
        slots = (await services.appointments.slots(WANG, self.case))["slots"]
        await services.appointments.book(WANG, self.case, at=slots[0]["at"], language="zh-CN")
        await services.appointments.check_device(
            WANG,
            self.case,
            report={"camera": True, "microphone": True, "network": {"rtt_ms": 20.5}},
            language="zh-CN",
        )

    async def to_waiting(self) -> None:
        await self.apply()
        await self.accept()
        await self.prepare()

    # -- the session -------------------------------------------------------------------------------

    async def open(self) -> None:
        view = await self.stage.services.ceremony.open(LIN, self.case, language="zh-CN")
        self.sid = view["id"]

    async def record(self, role: str, number: int, take: int = 1) -> None:
        recordings = self.stage.services.recordings
        at = self.stage.clock()
        await recordings.take_started(self.sid, participant=role, take=take, at=at)
        cipher = await recordings.recording_cipher(self.sid)
        file = TakeFile(take_path(self.stage.takes, self.sid, role, take), cipher.encrypt)
        for place in range(number, number + self.clusters):
            stored = file.append(f"cluster {place} of {role}, take {take}".encode() * 50)
            await recordings.segment(replace(self.segment(role, place, take), **asdict(stored)))
        file.close()

    def segment(self, role: str, number: int, take: int = 1) -> Segment:
        at = self.stage.clock()
        return Segment(
            session_id=self.sid,
            participant=role,
            take=take,
            number=number,
            start_at=at - 1000,
            end_at=at,
            offset=number * 1000,
            length=1000,
            plaintext_sha256=f"{number:064x}",
            ciphertext_sha256=f"{number + 1:064x}",
            chain=f"{number + 2:064x}",
            keyframe=True,
            frames=30,
        )

    async def step(self, number: int) -> dict[str, Any]:
        """Do everything step `number` asks for, and complete it (the ninth closes)."""
        await getattr(self, f"step_{number}")()
        ceremony = self.stage.services.ceremony
        await self.recheck()
        if number == 9:
            return await ceremony.close(LIN, self.sid, totp=TOTP, language="zh-CN")
        return await ceremony.complete(LIN, self.sid, number=number, language="zh-CN")

    async def recheck(self) -> None:
        view = await self.view()
        for each in view["steps"][view["step"] - 1]["evidence"]:
            if each["key"] == "identity_recheck" and not each["done"]:
                await self.confirm("identity_recheck")

    async def confirm(self, *keys: str) -> None:
        for key in keys:
            await self.stage.services.ceremony.confirm(
                LIN, self.sid, key=key, words="看到了", language="zh-CN"
            )

    async def step_1(self) -> None:
        take = 1 + len(await self.stage.services.workplace.recordings.takes(self.sid))
        await self.record("notary", 0, take)
        await self.record("applicant", 0, take)
        await self.stage.services.recordings.clock_offset(self.sid, offset_ms=12, rtt_ms=30)
        await self.confirm("opening_words_heard", "recording_consent")

    async def step_2(self) -> None:
        identity = self.stage.services.identity
        await identity.document(WANG, self.sid, side="front", image=b"front", language="zh-CN")
        await identity.capture(LIN, self.sid, what="document-back", language="zh-CN")
        await identity.capture(LIN, self.sid, what="face", language="zh-CN")
        await identity.registry(LIN, self.sid, language="zh-CN")
        await identity.decide(
            LIN, self.sid, accepted=True, reason="证件与本人一致", language="zh-CN"
        )

    async def step_3(self) -> None:
        await self.confirm("room_shown", "location_stated", "alone_stated")

    async def step_4(self) -> None:
        await self.stage.services.ceremony.understood(WANG, self.sid, language="zh-CN")

    async def step_5(self) -> None:
        for question in self.stage.services.intake.matter("poa-remote")["questions"]:
            await self.stage.services.ceremony.speak(
                LIN, self.sid, who="applicant", key=question["key"], text="是的", language="zh-CN"
            )

    async def step_6(self) -> None:
        view = await self.view()
        for page in range(1, view["document"]["pages"] + 1):
            ceremony = self.stage.services.ceremony
            await ceremony.turn_page(LIN, self.sid, number=page, language="zh-CN")
            await ceremony.page_seen(LIN, self.sid, number=page)
            await ceremony.page_seen(WANG, self.sid, number=page)

    async def step_7(self) -> None:
        await self.make_key()
        await self.sign("document")

    async def step_8(self) -> None:
        await self.need_key()
        await self.sign("record")

    async def step_9(self) -> None:
        await self.need_key()
        await self.sign("manifest")

    async def need_key(self) -> None:
        session = await self.stage.services.workplace.files.session(self.sid)
        if session.key is None:
            await self.make_key()

    async def make_key(self) -> None:
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = builder.sign(self.key, hashes.SHA256())
        pem = request.public_bytes(serialization.Encoding.PEM).decode()
        await self.stage.services.signatures.key(WANG, self.sid, csr_pem=pem)

    async def sign(self, act: str, *, before_signing: Callable[[], None] = lambda: None) -> None:
        signatures = self.stage.services.signatures
        hand = [{"x": 0.1, "y": 0.2, "t": 0, "p": 0.5}, {"x": 0.5, "y": 0.6, "t": 80.5, "p": 0.7}]
        prepared = await signatures.prepare(
            WANG, self.sid, act=act, strokes=[hand] if act == "document" else None
        )
        before_signing()
        attributes = base64.b64decode(prepared["signed_attrs_b64"])
        r, s = decode_dss_signature(self.key.sign(attributes, ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        await signatures.complete(
            WANG,
            self.sid,
            prepared["id"],
            signature_b64=base64.b64encode(raw).decode(),
            language="zh-CN",
        )

    async def end_takes(self) -> None:
        recordings = self.stage.services.recordings
        for take in await self.stage.services.workplace.recordings.takes(self.sid):
            if take.ended_at is None:
                await recordings.take_ended(
                    self.sid,
                    participant=take.participant,
                    take=take.take,
                    at=self.stage.clock(),
                    reason="closed",
                )

    async def session(self) -> None:
        await self.open()
        for number in range(1, 10):
            await self.step(number)
        await self.end_takes()
        await self.stage.work()

    async def view(self) -> dict[str, Any]:
        return await self.stage.services.ceremony.view(LIN, self.sid, language="zh-CN")

    # -- after -------------------------------------------------------------------------------------

    async def certify(self) -> None:
        approval = self.stage.services.approval
        await approval.draft(LIN, self.case, language="zh-CN")
        draft = await approval.draft_facts(LIN, self.case)
        await approval.certify(
            LIN, self.case, totp=TOTP, facts_sha256=draft["facts_sha256"], language="zh-CN"
        )

    async def judge(self) -> None:
        approval = self.stage.services.approval
        review = await approval.review(CHEN, self.case, language="zh-CN")
        for claim in review["claims"]:
            await approval.judge(
                CHEN, self.case, claim["number"], verdict="accepted", reason="", language="zh-CN"
            )

    async def approve(self) -> None:
        approval = self.stage.services.approval
        draft = await approval.draft_facts(CHEN, self.case)
        await approval.approve(
            CHEN, self.case, totp=TOTP, facts_sha256=draft["facts_sha256"], language="zh-CN"
        )

    async def whole(self) -> None:
        await self.to_waiting()
        await self.session()
        await self.certify()
        await self.judge()
        await self.approve()
        await self.stage.work()
