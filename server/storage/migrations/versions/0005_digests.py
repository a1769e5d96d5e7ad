"""SM3 digests of stored contents, for matters that ask for them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "digest",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("sm3", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "mark"),
    )
