"""Answers of the user (`--map`), and the questions that remain."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from app.infrastructure.database.adoption.catalogue import Column, Table
from app.infrastructure.database.adoption.names import snake_case
from app.infrastructure.database.adoption.proposal import short_name
from app.infrastructure.database.adoption.vocabulary import Tiers
from app.shared.exceptions import ConfigurationError

_PAIR = re.compile(r"\s*([a-z_]+(?:\.[a-z_]+)?)\s*=((?:[^,()]|\((?:[^()]|\([^()]*\))*\))*)(?:,|$)")


class AdoptionError(ConfigurationError):
    """The mapping is incomplete or ambiguous, or the database rejects it. The message is one line."""


def parse_answers(texts: Iterable[str]) -> dict[str, str]:
    """Parse `name=value,name=value`; commas in parentheses separate nothing. Raises AdoptionError."""
    answers: dict[str, str] = {}
    for text in texts:
        position = 0
        while position < len(text):
            found = _PAIR.match(text, position)
            if not found:
                raise AdoptionError(
                    f"--map {text!r}: write pairs such as feed_posts.content=body or feed_posts=articles"
                )
            answers[found[1]] = found[2].strip()
            position = found.end()
    return answers


@dataclass(eq=False)
class Answers:
    """What the user decided. A name is a view or an interaction type, with or without a column."""

    given: Mapping[str, str]
    questions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def get(self, name: str) -> str | None:
        """Return the answer, "" to leave something out, or None if there is none."""
        if name in self.given:
            self._used.add(name)
        return self.given.get(name)

    def ask(self, question: str) -> None:
        """Add a question that stops the command."""
        if question not in self.questions:
            self.questions.append(question)

    def ask_unused(self) -> None:
        """Reject answers that nothing used: a misspelt name must not be ignored."""
        for name in self.given.keys() - self._used:
            self.ask(f"--map {name}={self.given[name]}: nothing has this name")

    def column(
        self,
        role: str,
        name: str,
        table: Table,
        tiers: Tiers,
        accepts: Callable[[Column], bool],
        *,
        required: bool = False,
        prefer: Callable[[Column], bool] | None = None,
        without: Iterable[str | None] = (),
    ) -> str | None:
        """Return the column of `table` for a column of a view; None if there is none.

        accepts  whether a column has a suitable type
        prefer   where exactly one column fulfils it, its name is irrelevant (foreign keys)
        without  columns with another use

        Several columns in one tier, or none where one is required, give a question.
        """
        answer = self.get(f"{role}.{name}")
        if answer is not None:
            return self._checked(f"{role}.{name}", answer, table)
        candidates = [column for column in table.columns if column.name not in set(without)]
        if prefer:
            preferred = [column for column in candidates if prefer(column)]
            if len(preferred) == 1:
                return preferred[0].name
            candidates = preferred or candidates
        for tier in tiers:
            found = [
                column.name
                for column in candidates
                if tier & {snake_case(column.name), short_name(column, table)} and accepts(column)
            ]
            if len(found) == 1:
                return found[0]
            if found:
                self.ask(
                    f"{table}: {' and '.join(found)} may be {name}; choose with --map {role}.{name}=COLUMN"
                )
                return None
        if required:
            names = ", ".join(column.name for column in table.columns)
            self.ask(
                f"{table}: no column was recognised as {name} among {names}; name it with --map {role}.{name}=COLUMN"
            )
        return None

    def _checked(self, name: str, answer: str, table: Table) -> str | None:
        if answer and not answer.startswith("(") and table.column(answer) is None:
            names = ", ".join(column.name for column in table.columns)
            self.ask(f"--map {name}={answer}: {table} has no such column; it has {names}")
        return answer or None
