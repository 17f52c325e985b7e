"""Proposes the mapping of a team's tables onto the views, from names, types and foreign keys.

Nothing is guessed: where several tables or columns fit, or none, the error asks for an answer with `--map`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.infrastructure.database.adoption.answers import AdoptionError, Answers
from app.infrastructure.database.adoption.catalogue import Table
from app.infrastructure.database.adoption.entities import post_source, user_source
from app.infrastructure.database.adoption.entity_tables import find_users_and_posts
from app.infrastructure.database.adoption.events import EventFinder, ValuesOf
from app.infrastructure.database.adoption.proposal import Proposal, Source
from app.infrastructure.database.adoption.references import Referents
from app.infrastructure.database.adoption.relations import Relations
from app.infrastructure.database.adoption.vocabulary import CONTROL_ACTIONS, EVENT_TYPES


def propose(
    tables: Sequence[Table],
    given: Mapping[str, str],
    time_zone: str = "UTC",
    *,
    values_of: ValuesOf = lambda _table, column, _condition: column.labels,
    event_types: Mapping[str, str] | None = None,
) -> Proposal:
    """Return the mapping.

    tables       those of the team's schema first, then those of other schemas to which they refer
    given        answers of the user: "feed_posts" -> table, "feed_posts.content" -> column or (expression); "" leaves
                 out
    time_zone    of times without a zone
    values_of    distinct values of the columns that hold types of events; without it, those of enum types
    event_types  meaning of such values, by the user

    Raises AdoptionError with all questions that the names leave open.
    """
    answers = Answers(given)
    own = [table for table in tables if table.schema == tables[0].schema]
    users, posts = find_users_and_posts(own, tables[len(own) :], answers)
    tables = own
    if users is None or posts is None:
        raise AdoptionError("; ".join(answers.questions))
    of_users = user_source(tables, users, answers)
    of_posts = post_source(tables, posts, of_users, answers, time_zone)
    finder = EventFinder(
        tables, Referents(of_users, of_posts), answers, time_zone, values_of, event_types or {}
    )
    relations = Relations(finder)
    found = relations.find()
    tags = None if of_posts.get("tags") or "feed_posts.tags" in given else relations.tags()
    memberships = next(iter(found["feed_memberships"]), None)
    if of_posts.get("audience_id") and not memberships:
        answers.notes.append(
            f"{posts}.{of_posts.get('audience_id')}: no table of its members was recognised, so its posts are for all"
        )
        of_posts = _without(of_posts, "audience_id")
    elif memberships:
        answers.notes.append(
            f"posts with a {of_posts.get('audience_id')} are shown to its members only; "
            "--map feed_posts.audience_id= shows them to all"
        )
    sources = [source for of_role in found.values() for source in of_role]
    relations.report_unused([*sources, *([Source(tags.link, {})] if tags else [])])
    answers.ask_unused()
    finder.ask_unused()
    if answers.questions:
        raise AdoptionError("; ".join(answers.questions))
    return Proposal(
        of_users,
        of_posts,
        follows=next(iter(found["feed_follows"]), None),
        memberships=memberships,
        blocks=[(action, source) for action in CONTROL_ACTIONS for source in found[action]],
        events=[(kind, source) for kind in EVENT_TYPES for source in found[kind]],
        tags=tags,
        notes=answers.notes,
    )


def _without(source: Source, name: str) -> Source:
    return replace(source, columns={key: value for key, value in source.columns.items() if key != name})
