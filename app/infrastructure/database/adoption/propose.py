"""Proposes the mapping of a team's tables onto the views, from names, types and foreign keys.

Nothing is guessed: where several tables or columns fit, or none, the error asks for an answer with `--map`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.infrastructure.database.adoption.answers import AdoptionError, Answers
from app.infrastructure.database.adoption.catalogue import Table
from app.infrastructure.database.adoption.entities import find_users_and_posts, post_source, user_source
from app.infrastructure.database.adoption.proposal import Proposal, Source
from app.infrastructure.database.adoption.relations import Relations
from app.infrastructure.database.adoption.vocabulary import CONTROL_ACTIONS, EVENT_TYPES


def propose(tables: Sequence[Table], given: Mapping[str, str], time_zone: str = "UTC") -> Proposal:
    """Return the mapping.

    given      answers of the user: "feed_posts" -> table, "feed_posts.content" -> column or (expression); "" leaves out
    time_zone  of times without a zone

    Raises AdoptionError with all questions that the names leave open.
    """
    answers = Answers(given)
    users, posts = find_users_and_posts(tables, answers)
    if users is None or posts is None:
        raise AdoptionError("; ".join(answers.questions))
    of_users = user_source(tables, users, answers)
    of_posts = post_source(tables, posts, of_users, answers, time_zone)
    relations = Relations(tables, of_users, of_posts, answers, time_zone)
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
    answers.ask_unused()
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
