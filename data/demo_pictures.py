"""Gives a quarter of the posts of the demo feed a picture of their topic. The files are in web/public/pictures."""

from typing import Final

from sqlalchemy import text

from app.domain.feed.dataset import PostColumns
from data.loading import FeedDatabase

ALT_TEXTS: Final = {
    "astronomy": "Drawing of a planet with a ring, among stars",
    "books": "Drawing of books on a shelf",
    "cooking": "Drawing of a loaf of bread on a board",
    "cycling": "Drawing of a bicycle wheel",
    "film": "Drawing of a strip of film with three pictures",
    "football": "Drawing of a ball in the middle of a pitch",
    "gardening": "Drawing of a seedling in a pot",
    "health": "Drawing of a running track from above",
    "music": "Drawing of a vinyl record and the arm of a record player",
    "photography": "Drawing of mountains at sunset",
    "programming": "Drawing of boxes that are connected by lines",
    "travel": "Drawing of a sailing boat on the sea",
}
"""What the picture of each topic shows. The topic is the first tag of a post."""
WIDTH_PX: Final = 800
HEIGHT_PX: Final = 450
_EVERY: Final = 4
_INSERT: Final = """
INSERT INTO {post_media} (post_id, position, url, width, height, alt)
SELECT p.id, 0, given.url, :width, :height, given.alt
FROM unnest(CAST(:ids AS uuid[]), CAST(:urls AS text[]), CAST(:alts AS text[])) AS given (id, url, alt)
JOIN {feed_posts} p ON p.id = given.id
ON CONFLICT DO NOTHING
"""


def add_pictures(database: FeedDatabase, posts: PostColumns) -> int:
    """Add the pictures that the stored posts do not have yet; return how many."""
    rows = [
        row for row in range(0, len(posts), _EVERY) if posts.tags[row] and posts.tags[row][0] in ALT_TEXTS
    ]
    topics = [posts.tags[row][0] for row in rows]
    values = {
        "ids": [posts.key[row].tobytes().hex() for row in rows],
        "urls": [f"/pictures/{topic}.svg" for topic in topics],
        "alts": [ALT_TEXTS[topic] for topic in topics],
        "width": WIDTH_PX,
        "height": HEIGHT_PX,
    }
    names = {name: database.schema[name] for name in ("post_media", "feed_posts")}
    with database.engine.begin() as connection:
        return connection.execute(text(_INSERT.format(**names)), values).rowcount
