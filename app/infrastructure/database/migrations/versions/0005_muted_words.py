"""Hide posts with muted tags and words in feed_visible_posts, by the rules of app/domain/words.py."""

from alembic import op

from app.infrastructure.database.migrations.operations import feed_schema, migration
from app.infrastructure.database.schema import SchemaName

revision = "0005"
down_revision = "0004"

# The ranges of app/domain/words.py, which a test compares. PostgreSQL reads the same escapes.
SINGLE_CHARACTERS = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2190-\u2bff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff"
    r"\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
SEPARATORS = (
    r"\u0001-/:-@\u005b-\u005e\u0060{-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u05be"
    r"\u05c0\u05c3\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u206f\u3000-\u3004"
    r"\u3008-\u303f\ufe0e\ufe0f"
)

# lower() follows the rules of the database's locale. Beyond it, case folding changes the German sharp s and the Greek
# final sigma; letters that no language uses within words are left alone.
FOLDED = r"""
CREATE FUNCTION {schema}.feed_folded(content text) RETURNS text LANGUAGE sql IMMUTABLE AS $body$
    SELECT replace(replace(lower(normalize(content, NFKC)), U&'\00df', 'ss'), U&'\03c2', U&'\03c3')
$body$
"""
WORDS = r"""
CREATE FUNCTION {schema}.feed_words(content text) RETURNS text LANGUAGE sql IMMUTABLE AS $body$
    SELECT regexp_replace(
        regexp_replace(' ' || {schema}.feed_folded(content) || ' ', '[{single}]', ' \& ', 'g'),
        '[{separators}]+', ' ', 'g')
$body$
"""

# The caller's rights apply. No SET clause: with one, PostgreSQL could not plan the query together with the caller's.
VISIBLE_POSTS = """
CREATE OR REPLACE FUNCTION {schema}.feed_visible_posts(viewer uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $body$
    SELECT p.id FROM {feed_posts} p
    WHERE coalesce(p.visible, true) AND p.created_at <= now()
    {unhidden}
    {muted}
$body$
"""

MUTED = """
    AND NOT EXISTS (
        SELECT FROM {feed_controls} c, unnest(p.tags) AS of_post (tag) WHERE c.user_id = viewer
        AND c.action = 'mute_tag' AND (c.until IS NULL OR c.until > now())
        AND rtrim(ltrim({schema}.feed_folded(of_post.tag), ' #')) = rtrim(ltrim({schema}.feed_folded(c.tag), ' #'))
    )
    AND NOT EXISTS (
        SELECT FROM {feed_controls} c WHERE c.user_id = viewer
        AND c.action = 'mute_word' AND (c.until IS NULL OR c.until > now())
        AND {schema}.feed_words(c.word) <> ' '
        AND position({schema}.feed_words(c.word) IN {schema}.feed_words(p.content)) > 0
    )
"""


def upgrade() -> None:
    schema = feed_schema()
    op.execute(FOLDED.format(schema=schema))
    op.execute(WORDS.format(schema=schema, single=SINGLE_CHARACTERS, separators=SEPARATORS))
    _replace_visible_posts(schema, MUTED)


def downgrade() -> None:
    schema = feed_schema()
    _replace_visible_posts(schema, "")
    op.execute(f"DROP FUNCTION {schema}.feed_words(text)")
    op.execute(f"DROP FUNCTION {schema}.feed_folded(text)")


def _replace_visible_posts(schema: SchemaName, muted: str) -> None:
    names = {name: schema[name] for name in ("feed_controls", "feed_posts")}
    unhidden = migration("0004_user_controls").UNHIDDEN.format(**names)
    values = {"unhidden": unhidden, "muted": muted.format(schema=schema, **names)}
    op.execute(VISIBLE_POSTS.format(schema=schema, **values, **names))
