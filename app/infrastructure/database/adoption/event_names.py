"""Names that teams give to events, in tables with a column for the type of an event or of a reaction."""

import re
from typing import Final

from app.infrastructure.database.adoption.names import by_name, name_list, name_set, snake_case

NOT_COUNTED: Final = ""
"""The type of dislikes, reports and other events that are no interaction."""

_TYPES: Final = by_name(
    view="impression impressions opened_page page_view pageview play played read seen view viewed "
    "visit visited watch watched",
    click="click clicked open opened tap tapped",
    like="1 agree applause bookmark bookmarked care celebrate clap clapped cool fav favorite "
    "favorited favourite favourited fire funny haha heart hearted helpful insightful kudo kudos laugh "
    "like liked lol love loved plus plus_one positive save saved star starred support thumb_up "
    "thumbs_up thumbsup thumbup up upvote upvoted useful wow",
    comment="answer answered comment commented replied reply respond response",
    share="boost boosted forward forwarded quote quoted reblog reblogged repost reposted retweet "
    "retweeted share shared",
) | dict.fromkeys(
    name_list(
        "angry block blocked boo dislike disliked dismiss dismissed down downvote downvoted follow followed "
        "hate hide hidden mute muted negative not_interested not_useful report reported skip skipped "
        "thumb_down thumbs_down thumbsdown thumbdown unbookmark unfavorite unfavourite unfollow unheart "
        "unhelpful unlike unrepost unsave unshare unstar unvote"
    ),
    NOT_COUNTED,
)
_SIGNS: Final = by_name(
    like="+1 + 👍 ❤ ♥ 😂 🔥 👏 🎉 😍 😮 🤣 💯 🙌",
) | dict.fromkeys(name_list("-1 - 0 👎 😡 😠 💩"), NOT_COUNTED)
_NEUTRAL: Final = name_set(
    "add added article content created event feed has interaction item made new page post reaction story the "
    "tweet user video was"
)
"""Words that change nothing: "post_liked", "page_view"."""
_MODIFIERS: Final = re.compile(
    r"[\s\ufe0e\ufe0f\u200d\U0001f3fb-\U0001f3ff]+"
)  # of the style and colour of emoji


def interaction_type(value: str) -> str | None:
    """Return the interaction type of a team's event, NOT_COUNTED, or None if its meaning is unknown."""
    sign = _MODIFIERS.sub("", value)
    if sign in _SIGNS:
        return _SIGNS[sign]
    name = snake_case(value)
    if name in _TYPES:
        return _TYPES[name]
    rest = [word for word in name.split("_") if word not in _NEUTRAL]
    return _TYPES.get("_".join(rest)) if rest else None
