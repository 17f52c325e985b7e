"""Words of the names of tables and columns, whatever their style: "createdAt", "created_at", "CreatedAt"."""

import re

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Names that PostgreSQL folded to lower case, since they were not quoted: "createdat", "authorid", "isdeleted".
_JOINED = re.compile(
    r"(?P<a>.*(?:ed|den|pub|publish|expires?))(?P<b>at|on|by|date|time|until)|"
    r"(?P<c>is|was)(?P<d>(?!sue).*(?:ed|den)|active|draft|live|private|public|spam|visible)|"
    r"(?P<e>user|author|post|owner|creator|parent|member|account|profile|article|like|follower|followee|following|"
    r"commenter|comment|group)(?P<f>id|uuid)"
)
_PLURALS = {"people": "person", "statuses": "status", "aliases": "alias", "likes": "like", "shares": "share"}


def words(name: str) -> tuple[str, ...]:
    """Return the lower-case words of a name."""
    separated = re.split(r"[^a-z0-9]+", _WORD_START.sub("_", name).lower())
    return tuple(part for word in separated for part in _separated(word) if part)


def _separated(word: str) -> tuple[str, ...]:
    found = _JOINED.fullmatch(word)
    return tuple(part for part in found.groups() if part) if found else (word,)


def snake_case(name: str) -> str:
    """Return a name in snake case: "createdAt" gives "created_at"."""
    return "_".join(words(name))


def singular(word: str) -> str:
    """Return the singular of an English noun."""
    if word in _PLURALS:
        return _PLURALS[word]
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is", "news")) else word


def name_list(text: str) -> list[str]:
    """Return the names in a text, which are separated by spaces."""
    return text.split()


def name_set(text: str) -> frozenset[str]:
    """As `name_list`, without an order."""
    return frozenset(text.split())


def by_name(**names_of: str) -> dict[str, str]:
    """Return the key of each name. The values of `names_of` are names, which are separated by spaces."""
    return {name: key for key, names in names_of.items() for name in names.split()}


def quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"
