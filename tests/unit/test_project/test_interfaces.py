"""Commands, variables, metrics and HTTP fields are those of the committed list."""

import re

import pytest

from tests.unit.test_project.interfaces import BASE, READERS, differences, expected, recorded

REMEDY = """
{count} interfaces of kind {kind!r} differ from tests/unit/test_project/interfaces.json:
  {found}
Users, dashboards and clients depend on these names. Restore what is gone or changed. If an issue adds, changes or
removes an interface, record it under that issue: python -m tests.unit.test_project.interfaces "issue N"
"""


@pytest.mark.parametrize("kind", READERS)
def test_interfaces_are_those_of_the_list(kind: str) -> None:
    found = differences(expected(recorded(), kind), READERS[kind]())

    assert not found, REMEDY.format(count=len(found), kind=kind, found="\n  ".join(found))


def test_every_group_of_the_list_is_the_base_or_an_issue() -> None:
    groups = recorded()

    assert next(iter(groups)) == BASE
    assert all(re.fullmatch(r"issue \d+", group) for group in list(groups)[1:])
    assert all(kinds.keys() <= READERS.keys() for kinds in groups.values())


def test_a_line_that_is_gone_changed_or_new_is_reported() -> None:
    listed = {"--seed": "value", "--json": "switch", "--html": "value"}
    found = {"--seed": "value", "--json": "value", "--plot": "value"}

    assert differences(listed, found) == [
        "gone: --html (value)",
        "changed: --json: was 'switch', is 'value'",
        "new: --plot (value)",
    ]


def test_an_issue_adds_changes_and_removes_lines() -> None:
    groups = {
        BASE: {"commands": {"--seed": "value", "--html": "value", "--json": "switch"}},
        "issue 21": {"commands": {"--html": None, "--json": "value", "--plot": "value"}},
    }

    assert expected(groups, "commands") == {"--seed": "value", "--json": "value", "--plot": "value"}
    assert expected(groups, "metrics") == {}
