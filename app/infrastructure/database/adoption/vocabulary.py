"""Names that teams give to tables and columns, in tiers: a name of an earlier tier is preferred.

Names are singular and in snake case.
"""

from typing import Final

from app.infrastructure.database.adoption.names import by_name, name_set

Tiers = tuple[frozenset[str], ...]


def _tiers(*lists: str) -> Tiers:
    return tuple(map(name_set, lists))


USERS: Final = _tiers(
    "user", "member account profile person", "author customer creator player student people"
)
POSTS: Final = _tiers(
    "post article story tweet photo video blog_post toot publication",
    "entry topic thread question note status update listing recipe submission content item link clip track",
    "pin meme card reel podcast episode snippet shot project thought moment product",
)
MEDIA: Final = frozenset(["clip", "image", "item", "link", "media", "photo", "track", "video"])
"""Tables of these names may hold attachments of posts."""
FULL_POST_TABLES: Final = POSTS[0]
"""Two tables of these names may both hold what the feed shows."""

CREATED: Final = _tiers(
    "created_at created inserted_at date_created created_on created_date created_time create_time "
    "creation_date creation_time created_ts created_utc time_created created_timestamp creation_timestamp "
    "create_at added_at date_added add_time insert_time inserted_on inserted crdate ctime submitted_at",
    "posted_at posted_on date_posted posted post_date posted_date post_time liked_at followed_at viewed_at occurred_at",
    "published_at pub_date publish_date published_on date_published publication_date published_date "
    "published publish_at publish_time published_time release_date released_at released_on go_live_at "
    "live_at",
    "timestamp date time datetime ts at updated_at",
)
CONTENT: Final = _tiers(
    "content body text caption message body_text content_text post_text body_md content_md markdown",
    "description summary excerpt details raw",
)
TITLE: Final = _tiers("title headline subject")
TAGS: Final = _tiers("tags tag_list hashtags", "topics categories labels keywords")
LANGUAGE: Final = _tiers("language lang language_code", "locale")
LANGUAGES: Final = _tiers("languages")
SENSITIVE: Final = _tiers("sensitive is_sensitive nsfw is_nsfw over_18 adult is_adult mature explicit")
REPLY_TO: Final = _tiers(
    "reply_to reply_to_id in_reply_to_id in_reply_to parent_id parent_post_id parent reply_to_post_id"
)
ROOT: Final = _tiers("root_id root_post_id thread_id conversation_id root")
REPOST_OF: Final = _tiers(
    "repost_of repost_of_id retweet_of retweeted_id reposted_id reblog_of shared_id quoted_id quote_of "
    "quote_of_id reblog_of_id retweet_of_id original_post_id shared_post_id repost_id original_id "
    "quoted_post_id"
)
EMBEDDING: Final = _tiers("embedding", "content_embedding text_embedding embedding_vector")
AUDIENCE: Final = _tiers("audience_id group_id community_id space_id club_id circle_id")
USERNAME: Final = _tiers(
    "username user_name handle screen_name nickname login", "display_name name full_name", "first_name"
)
SIGN_UP: Final = (
    CREATED[0],
    frozenset(
        {"date_joined", "joined_at", "joined", "registered_at", "registered", "signed_up_at", "join_date"}
    ),
)
SHOW_SENSITIVE: Final = _tiers("show_sensitive show_nsfw over_18")
PRIVATE_ACCOUNT: Final = _tiers(
    "private is_private private_account is_private_account protected is_protected"
)
PUBLIC_ACCOUNT: Final = _tiers("public is_public public_profile is_public_profile")

USER: Final = _tiers(
    "user_id user account_id account member_id member profile_id profile person_id user_uuid",
    "author_id author creator_id creator owner_id owner liker_id commenter_id viewer_id voter_id reader_id "
    "fan_id created_by created_by_id actor_id sender_id liked_by visitor_id customer_id",
)
AUTHOR: Final = _tiers(
    "author_id author author_uuid author_user_id written_by written_by_id",
    "user_id user user_uuid creator_id creator owner_id owner posted_by posted_by_id created_by "
    "created_by_id writer_id writer poster_id poster account_id account profile_id profile member_id member "
    "publisher_id submitter_id uploaded_by uploader_id person_id posted_by_user_id",
    "publisher submitted_by submitted_by_id submitter sender_id sender uploader uploaded_by_id artist_id "
    "artist journalist_id journalist maker_id maker seller_id seller creator_user_id owner_user_id "
    "user_account_id added_by",
    "editor_id editor",
)
FOLLOWER: Final = _tiers(
    "follower_id follower follower_user_id from_user_id from_user from_id subscriber_id subscriber fan_id "
    "fan reader_id reader source_id source_account_id following_user_id follower_profile_id",
    "user_id user account_id account member_id member profile_id profile",
)
FOLLOWEE: Final = _tiers(
    "followee_id followee followed_id followed following_id following followed_user_id followed_by_id "
    "to_user_id to_user to_id target_id target_user_id target_account_id writer_id writer publisher_id "
    "publisher friend_id leader_id creator_id creator author_id author subscribed_to_id subscribed_to "
    "followable_id channel_id followee_user_id idol_id",
    "user_id user account_id account member_id member profile_id profile",
)
BLOCKER: Final = _tiers(
    "blocker_id blocker blocking_user_id muter_id muter from_user_id from_user source_id blocked_by blocked_by_id",
    "user_id user account_id account member_id member profile_id profile owner_id",
)
BLOCKED: Final = _tiers(
    "blocked_id blocked blocked_user_id blocked_user blockee_id blockee muted_id muted muted_user_id "
    "muted_user to_user_id to_user target_id target_user_id target_account_id blocked_account_id "
    "blocked_profile_id blocked_member_id",
    "user_id user account_id account member_id member profile_id profile",
)

RELATIONS: Final = by_name(
    feed_follows="follow follower following followee subscription friendship relationship user_relationship",
    block_author="block user_block blocked_user blocking blocklist",
    mute_author="mute user_mute muted_user",
    feed_memberships="membership group_member community_member space_member circle_member "
    "club_member audience_member group_user group_membership",
    like="like liked heart favourite favorite fav upvote vote reaction clap star love bookmark save "
    "kudo applause rating likeable votable reactable favoritable favouritable bookmarkable hearting "
    "upvoting endorsement appreciation thumb",
    events="event interaction activity engagement user_action post_action user_event feedback signal",
    comment="comment reply answer response",
    share="share repost retweet reblog boost",
    view="view visit read impression pageview seen",
    click="click open tap",
)
"""What a table of this name holds: a view, an action of a control, or a type of interaction."""
RELATION_TYPE: Final = name_set("type kind relation relation_type relationship relationship_type")
"""Columns that say whether a row is a follow or a block."""
EVENT_TYPES: Final = ("view", "click", "like", "comment", "share")
CONTROL_ACTIONS: Final = ("block_author", "mute_author")

NUMERIC_VOTE: Final = name_set("value vote vote_value direction weight")
RATING: Final = name_set("rating ratings score stars star points grade")
BOOLEAN_VOTE: Final = name_set("vote_flag is_upvote upvote is_like liked positive up is_positive vote value")
NEGATIVE_BOOLEAN: Final = name_set(
    "dislike is_dislike disliked downvote is_downvote negative is_negative down unliked is_unlike"
)
REACTION_TYPE: Final = name_set(
    "type kind reaction reaction_type reaction_kind reaction_name vote vote_type direction emoji value "
    "like_type type_id reaction_type_id reaction_id action"
)
EVENT_TYPE: Final = REACTION_TYPE | name_set(
    "event event_type event_name event_kind event_id_type action_type action_name interaction "
    "interaction_type interaction_kind activity activity_type engagement_type feedback_type feedback verb "
    "signal signal_type event_type_id action_type_id interaction_type_id"
)
"""Columns of the type of an event."""

TAG_TABLES: Final = frozenset(["tag", "hashtag", "topic", "category", "keyword", "label"])
TAG_NAME: Final = _tiers("name slug", "tag label title text keyword hashtag")
