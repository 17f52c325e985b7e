"""Which texts are ids, and which UUIDs they become; SQL and TypeScript compute the same (tests/support/ids.json)."""

import json
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidId
from app.domain.ids import canonical_id, is_id, post_uuid, user_uuid

VECTORS = json.loads((Path(__file__).parents[2] / "support/ids.json").read_text())
BOB = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


@pytest.mark.parametrize("vector", VECTORS["ids"], ids=lambda vector: ascii(vector["given"])[:30])
def test_ids_become_the_uuids_that_other_languages_compute(vector: dict[str, str]) -> None:
    found = canonical_id(vector["given"]), str(user_uuid(vector["given"])), str(post_uuid(vector["given"]))

    assert found == (vector["canonical"], vector["user"], vector["post"])


def test_the_uuid_of_an_id_is_that_of_its_trimmed_nfc_form() -> None:
    assert user_uuid(" gru\u0308ße ") == uuid5(NAMESPACE_URL, "user:gr\u00fc\u00dfe")
    assert post_uuid(" gru\u0308ße ") == uuid5(NAMESPACE_URL, "post:gr\u00fc\u00dfe")


@pytest.mark.parametrize("spelling", ["{}", "{{{}}}", "urn:uuid:{}", "URN:UUID:{}", "  {} "])
@pytest.mark.parametrize("digits", [str(BOB), str(BOB).upper(), BOB.hex, BOB.hex.upper()])
def test_every_usual_spelling_of_a_uuid_is_that_uuid(spelling: str, digits: str) -> None:
    given = spelling.format(digits)

    assert (user_uuid(given), post_uuid(given), canonical_id(given)) == (BOB, BOB, str(BOB))


@given(st.text(min_size=1, max_size=40))
def test_a_canonical_form_is_its_own_canonical_form(text: str) -> None:
    assert canonical_id(canonical_id(text)) == canonical_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e",
        "👩\u200d🚀",
        "क\u094d\u200dष",
        "101.0",
        "1.57E+18",
        " ",
        "x" * 128,
        "🌊" * 128,
    ],
)
def test_printable_texts_are_ids(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("text", [*VECTORS["rejected"], "\ud800"], ids=ascii)
def test_other_texts_are_not(text: str) -> None:
    assert not is_id(text)
    with pytest.raises(InvalidId, match=r"^user id must be 1\.\.128 printable characters, got "):
        user_uuid(text)
