"""Describes a mapping for the user: which column feeds what, and what was omitted."""

from collections.abc import Iterable, Sequence

from app.infrastructure.database.adoption.catalogue import Table
from app.infrastructure.database.adoption.proposal import Proposal, Source


def describe(proposal: Proposal, tables: Sequence[Table]) -> list[str]:
    """Return the lines: each view or interaction type with its table and columns, then tables without a use."""
    lines = []
    for name, source in proposal.sources:
        lines.append(f"{name} <- {source.table}")
        lines += [f"    {column} <- {given}" for column, given in source.columns.items()]
        if source.published.columns:
            lines.append(f"    published rows: by {', '.join(source.published.columns)}")
        if name == "feed_posts" and proposal.tags:
            lines.append(f"    tags <- {proposal.tags.link}")
        if unused := _unused(source):
            lines.append(f"    omitted: {', '.join(unused)}")
    used = {str(table) for table in _used_tables(proposal)}
    others = [table.name for table in tables if str(table) not in used]
    if others:
        lines.append(f"tables omitted: {', '.join(others)}")
    return [*lines, *(f"note: {note}" for note in proposal.notes)]


def _unused(source: Source) -> list[str]:
    used = {*source.columns.values(), *source.published.columns}
    return [column.name for column in source.table.columns if column.name not in used]


def _used_tables(proposal: Proposal) -> Iterable[Table]:
    yield from (source.table for _, source in proposal.sources)
    if proposal.tags:
        yield proposal.tags.link
        if proposal.tags.names:
            yield proposal.tags.names
