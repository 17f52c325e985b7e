"""Environment and revisions of Alembic."""
