"""The tables, as data. `migrations/` makes the same ones; a test compares.

Bodies are ciphertext under the case's evidence key (`facts` of a certificate, and what an erasure
leaves, under its register key); columns in clear are random ids, states, times and digests.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

case = Table(
    "case_file",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", String(24), nullable=False, index=True),
    Column("matter", String(64), nullable=False),
    Column("applicant", String(32), nullable=False, index=True),
    Column("handler", String(32)),
    Column("created_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("case_id", "number"),
)

event = Table(
    "event",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False),
    Column("session_id", String(32)),
    Column("chain", String(32), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("anchor_index", BigInteger),
    Column("leaf_hash", String(64)),
    Column("anchored_at", BigInteger),
    Index("event_of_case", "case_id", "seq"),
    Index("event_of_session", "session_id", "seq"),
    Index("event_waiting", "anchored_at", "seq"),
    sqlite_autoincrement=True,
)

sealed = Table(
    "sealed",
    metadata,
    Column("event", String(32), primary_key=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("proof", Text, nullable=False),
)

blob = Table(
    "object",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("label", String(160), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

digest = Table(
    "digest",
    metadata,
    Column("case_id", String(32), primary_key=True),
    Column("mark", String(64), primary_key=True),
    Column("sm3", LargeBinary, nullable=False),
)

participant = Table(
    "participant",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("admitted_at", BigInteger, nullable=False),
)

take = Table(
    "take",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("participant", String(32), primary_key=True),
    Column("take", Integer, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("reason", String(48)),
)

segment = Table(
    "segment",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("participant", String(32), primary_key=True),
    Column("take", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("plaintext_sha256", String(64), nullable=False),
    Column("ciphertext_sha256", String(64), nullable=False),
    Column("chain", String(64), nullable=False),
    Column("keyframe", Boolean, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("event", String(32), nullable=False),
    Column("object", String(64)),
)

gap = Table(
    "gap",
    metadata,
    Column("event", String(32), primary_key=True),
    Column("session_id", String(32), nullable=False, index=True),
    Column("participant", String(32), nullable=False),
    Column("take", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
)

media_worker = Table(
    "media_worker",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("sessions", Integer, nullable=False),
    Column("lag_ms", Integer, nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
)

placement = Table(
    "placement",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("worker", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
)

finding = Table(
    "finding",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("session_id", String(32), nullable=False, index=True),
    Column("case_id", String(32), nullable=False),
    Column("sort", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

number = Table(
    "certificate_number",
    metadata,
    Column("office", String(64), primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("class", String(64), primary_key=True, key="number_class"),
    Column("serial", Integer, primary_key=True),
    Column("text", String(128), nullable=False, unique=True),
    Column("status_index", Integer, nullable=False, unique=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("intent", String(64), nullable=False, unique=True),
    Column("code_sha256", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("allocated_at", BigInteger, nullable=False),
    Column("facts", LargeBinary, nullable=False),
)

certificate_file = Table(
    "certificate_file",
    metadata,
    Column("intent", String(64), primary_key=True),
    Column("object", String(64), nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
)

bundle_file = Table(
    "bundle_file",
    metadata,
    Column("intent", String(64), primary_key=True),
    Column("object", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)

share = Table(
    "share",
    metadata,
    Column("code_sha256", String(64), primary_key=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

invitation = Table(
    "invitation",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
)

erasure = Table(
    "erasure",
    metadata,
    Column("case_id", String(32), ForeignKey("case_file.id"), primary_key=True),
    Column("event", String(32), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("husk", LargeBinary, nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("finished_at", BigInteger),
)

access = Table(
    "access_log",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(64), nullable=False),
    Column("case_id", String(32), nullable=False, index=True),
    Column("what", String(160), nullable=False),
    sqlite_autoincrement=True,
)

# Accounts: digests and sealed secrets only (storage/accounts.py says which).

account_staff = Table(
    "account_staff",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("name_zh", String(64), nullable=False),
    Column("name_en", String(64), nullable=False),
    Column("licence", String(64), nullable=False),
    Column("licensed_from", String(10), nullable=False),
    Column("licensed_until", String(10), nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("totp_sealed", LargeBinary, nullable=False),
    Column("totp_step", BigInteger, nullable=False),
)
account_applicant = Table(
    "account_applicant",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("phone", String(16), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)
account_phone_code = Table(
    "account_phone_code",
    metadata,
    Column("phone", String(16), primary_key=True),
    Column("code_digest", String(64), nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("tries_left", Integer, nullable=False),
)
account_failure = Table(
    "account_failure",
    metadata,
    Column("login", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("locked_until", BigInteger, nullable=False),
)
account_session = Table(
    "account_session",
    metadata,
    Column("token_digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("person_id", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

status_list = Table(
    "status_list",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("event", String(32), nullable=False, unique=True),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)
