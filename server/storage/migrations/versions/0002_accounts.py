"""Accounts: staff, applicants, one-time codes, wrong tries, login sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_staff",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("login", sa.String(64), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name_zh", sa.String(64), nullable=False),
        sa.Column("name_en", sa.String(64), nullable=False),
        sa.Column("licence", sa.String(64), nullable=False),
        sa.Column("licensed_from", sa.String(10), nullable=False),
        sa.Column("licensed_until", sa.String(10), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary, nullable=False),
        sa.Column("totp_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "account_applicant",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("phone", sa.String(16), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "account_phone_code",
        sa.Column("phone", sa.String(16), primary_key=True),
        sa.Column("code_digest", sa.String(64), nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("tries_left", sa.Integer, nullable=False),
    )
    op.create_table(
        "account_failure",
        sa.Column("login", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("locked_until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "account_session",
        sa.Column("token_digest", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
