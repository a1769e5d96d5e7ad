"""alembic's entry: runs the revisions on the one connection of `database.migrate`."""

from alembic import context
from sqlalchemy import create_engine, pool

from server.storage.models import metadata

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
