"""The mapping that is proposed for the schemas of frameworks and teams."""

from dataclasses import replace
from functools import partial

import pytest

from app.infrastructure.database.adoption.answers import AdoptionError, parse_answers
from app.infrastructure.database.adoption.catalogue import Column, Reference, Table
from app.infrastructure.database.adoption.proposal import Proposal
from app.infrastructure.database.adoption.propose import propose
from app.infrastructure.database.adoption.table_roles import role_of
from tests.support.team_schemas import table

PRISMA = [
    table("User", "id integer,email text,name text,createdAt timestamp"),
    table(
        "Post",
        "id integer,title text,content text,published boolean,authorId integer > User.id,createdAt "
        "timestamp,updatedAt timestamp",
    ),
    table("Like", "userId integer > User.id,postId integer > Post.id,createdAt timestamp", "userId postId"),
    table("Follow", "followerId integer > User.id,followingId integer > User.id", "followerId followingId"),
    table("_PostToTag", "A integer > Post.id,B integer > Tag.id", ""),
    table("Tag", "id integer,name text"),
    table("Session", "id text,userId integer > User.id"),
    table("_prisma_migrations", "id text,started_at timestamptz"),
]
RAILS = [
    table("users", "id bigint,username varchar,discarded_at timestamp,created_at timestamp"),
    table(
        "posts",
        "id bigint,user_id bigint > users.id,body text,discarded_at timestamp,created_at timestamp,"
        "updated_at timestamp",
    ),
    table(
        "likes",
        "id bigint,user_id bigint > users.id,likeable_type varchar,likeable_id bigint,created_at timestamp",
    ),
    table(
        "comments",
        "id bigint,user_id bigint > users.id,post_id bigint > posts.id,body text,created_at timestamp",
    ),
    table(
        "follows",
        "id bigint,follower_id bigint > users.id,followed_id bigint > users.id,created_at timestamp",
    ),
    table("schema_migrations", "version varchar", "version"),
]
DJANGO = [
    table("auth_user", "id integer,username varchar,is_active boolean,date_joined timestamptz"),
    table("auth_group", "id integer,name varchar"),
    table("auth_user_groups", "id bigint,user_id integer > auth_user.id,group_id integer > auth_group.id"),
    table(
        "blog_post",
        "id bigint,author_id integer > auth_user.id,title varchar,body text,status draft|published,"
        "created_at timestamptz",
    ),
    table(
        "blog_like",
        "id bigint,user_id integer > auth_user.id,post_id bigint > blog_post.id,created_at timestamptz",
    ),
    table("django_session", "session_key varchar,session_data text", "session_key"),
]
SUPABASE = [
    table("profiles", "id uuid,username text,full_name text,updated_at timestamptz"),
    table(
        "posts",
        "id uuid,user_id uuid > profiles.id,content text,deleted_at timestamptz,created_at timestamptz,tags text[]",
    ),
    table(
        "bookmarks",
        "user_id uuid > profiles.id,post_id uuid > posts.id,created_at timestamptz",
        "user_id post_id",
    ),
]
MEMBERS = [
    table("members", "member_id varchar,handle varchar,joined_at timestamptz", "member_id"),
    table(
        "articles",
        "slug varchar,written_by varchar > members.member_id,headline text,body text,date_posted "
        "timestamptz,removed boolean",
        "slug",
    ),
    table("subscriptions", "reader varchar > members.member_id,writer varchar > members.member_id"),
    table("favourites", "fan varchar > members.member_id,article varchar > articles.slug,at timestamptz"),
]
MASTODON_LIKE = [
    table("accounts", "id bigint,username varchar,suspended_at timestamp,created_at timestamp"),
    table("statuses", "id bigint,account_id bigint > accounts.id,text text,in_reply_to_id bigint > "
    "statuses.id,reblog_of_id bigint > statuses.id,deleted_at timestamp,created_at timestamp,sensitive "
    "boolean,language varchar"),
    table("favourites", "id bigint,account_id bigint > accounts.id,status_id bigint > statuses.id,"
    "created_at timestamp"),
    table("follows", "id bigint,account_id bigint > accounts.id,target_account_id bigint > accounts.id,"
    "created_at timestamp"),
    table("blocks", "id bigint,account_id bigint > accounts.id,target_account_id bigint > accounts.id,"
    "created_at timestamp"),
    table("mutes", "id bigint,account_id bigint > accounts.id,target_account_id bigint > accounts.id"),
]  # fmt: skip
UNCONSTRAINED = [
    table("users", "id bigint,username text,created_at timestamptz"),
    table("posts", "id bigint,author_id bigint,content text,created_at timestamptz"),
    table("follows", "follower_id bigint,followee_id bigint", ""),
    table("post_votes", "user_id bigint,post_id bigint,value smallint,created_at timestamptz"),
]
GROUPS = [
    table("users", "id uuid,name text,is_private boolean"),
    table("groups", "id uuid,name text"),
    table("group_members", "group_id uuid > groups.id,user_id uuid > users.id,status text"),
    table(
        "posts",
        "id uuid,owner_id uuid > users.id,group_id uuid > groups.id,body text,created timestamptz,visibility text",
    ),
    table("reads", "user_id uuid > users.id,message_id uuid"),
]


def mapped(proposal: Proposal) -> dict[str, dict[str, str]]:
    return {name: {"": source.table.name, **source.columns} for name, source in proposal.sources}


def test_prisma() -> None:
    found = propose(PRISMA, {})

    assert mapped(found) == {
        "feed_users": {"": "User", "id": "id", "created_at": "createdAt", "username": "name"},
        "feed_posts": {
            "": "Post", "id": "id", "author_id": "authorId", "created_at": "createdAt", "content": "content",
            "title": "title",
        },
        "feed_follows": {"": "Follow", "follower_id": "followerId", "followee_id": "followingId"},
        "like": {"": "Like", "user_id": "userId", "post_id": "postId", "created_at": "createdAt"},
    }  # fmt: skip
    assert found.posts.published.columns == ("published",)
    assert found.tags is not None
    assert (found.tags.link.name, found.tags.post, found.tags.tag, found.tags.name) == (
        "_PostToTag",
        "A",
        "B",
        "name",
    )


def test_rails() -> None:
    found = propose(RAILS, {})

    assert mapped(found)["feed_posts"] == {
        "": "posts",
        "id": "id",
        "author_id": "user_id",
        "created_at": "created_at",
        "content": "body",
    }
    assert mapped(found)["feed_follows"]["followee_id"] == "followed_id"
    assert mapped(found)["like"]["post_id"] == "likeable_id"
    assert "'post'" in dict(found.events)["like"].condition
    assert "likeable_type" in dict(found.events)["like"].condition
    assert mapped(found)["comment"]["post_id"] == "post_id"
    assert found.posts.published.condition == 't."discarded_at" IS NULL'
    assert found.times_without_zone()[:2] == ["public.users.created_at", "public.users.discarded_at"]


def test_django() -> None:
    found = propose(DJANGO, {})

    assert found.users.table.name == "auth_user"
    assert found.users.published.columns == ("is_active",)
    assert mapped(found)["feed_posts"]["author_id"] == "author_id"
    assert "'published'" in found.posts.published.condition
    assert mapped(found)["like"][""] == "blog_like"
    assert found.times_without_zone() == []


def test_supabase() -> None:
    found = propose(SUPABASE, {})

    assert (found.users.table.name, found.posts.get("author_id"), found.posts.get("tags")) == (
        "profiles",
        "user_id",
        "tags",
    )
    assert mapped(found)["like"][""] == "bookmarks"


def test_names_of_a_teams_own() -> None:
    found = mapped(propose(MEMBERS, {}))

    assert found["feed_users"] == {
        "": "members",
        "id": "member_id",
        "created_at": "joined_at",
        "username": "handle",
    }
    assert found["feed_posts"] == {
        "": "articles", "id": "slug", "author_id": "written_by", "created_at": "date_posted", "content": "body",
        "title": "headline",
    }  # fmt: skip
    assert found["feed_follows"] == {"": "subscriptions", "follower_id": "reader", "followee_id": "writer"}
    assert found["like"] == {"": "favourites", "user_id": "fan", "post_id": "article", "created_at": "at"}


@pytest.mark.parametrize(
    ("kind", "found"), [("vector", True), ("real[]", True), ("double precision[]", True), ("bytea", False)]
)
def test_a_column_of_vectors_is_the_embedding_of_a_post(kind: str, *, found: bool) -> None:
    users = table("users", "id uuid,username text,created_at timestamptz")
    posts = table("posts", "id uuid,author_id uuid > users.id,body text,created_at timestamptz")
    with_vectors = replace(posts, columns=(*posts.columns, Column("embedding", kind)))

    assert ("embedding" in mapped(propose([users, with_vectors], {}))["feed_posts"]) == found


def test_replies_reposts_blocks_and_mutes() -> None:
    found = propose(MASTODON_LIKE, {})
    columns = mapped(found)

    assert (columns["feed_posts"][""], columns["feed_posts"]["author_id"]) == ("statuses", "account_id")
    assert (columns["feed_posts"]["reply_to"], columns["feed_posts"]["repost_of"]) == (
        "in_reply_to_id",
        "reblog_of_id",
    )
    assert (columns["feed_posts"]["sensitive"], columns["feed_posts"]["language"]) == (
        "sensitive",
        "language",
    )
    assert columns["block_author"] == {
        "": "blocks", "user_id": "account_id", "target_user_id": "target_account_id", "created_at": "created_at"
    }  # fmt: skip
    assert columns["mute_author"]["target_user_id"] == "target_account_id"
    assert columns["feed_follows"]["followee_id"] == "target_account_id"


def test_tables_without_foreign_keys_are_recognised_by_names_and_types() -> None:
    found = propose(UNCONSTRAINED, {})

    assert mapped(found)["feed_follows"]["follower_id"] == "follower_id"
    assert mapped(found)["like"][""] == "post_votes"
    assert '"value" > 0' in dict(found.events)["like"].condition


def test_groups_and_private_accounts() -> None:
    found = propose(GROUPS, {})

    assert mapped(found)["feed_memberships"] == {
        "": "group_members",
        "user_id": "user_id",
        "audience_id": "group_id",
    }
    assert (found.posts.get("audience_id"), found.users.get("private")) == ("group_id", "is_private")
    assert found.memberships is not None
    assert found.memberships.published.columns == ("status",)
    assert found.events == []  # reads of messages are no reads of posts


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("blog_articlelike", "like"), ("postlikes", "like"), ("PostLike", "like"), ("tweetlikes", "like"),
        ("article_favorites", "like"), ("upvotes", "like"), ("hearts", "like"), ("saved_articles", "like"),
        ("post_like_events", "like"), ("postviews", "view"), ("post_view_logs", "view"), ("viewed_posts", "view"),
        ("articlecomments", "comment"), ("blog_reposts", "share"), ("UserFollow", "feed_follows"),
        ("userfollows", "feed_follows"), ("accountblocks", "block_author"), ("likeables", "like"),
        ("interactions", "events"),
        ("comment_likes", None), ("dislikes", None), ("post_dislikes", None), ("downvotes", None),
        ("article_flags", None), ("articles_authors", None), ("like_counts", None),
    ],
)  # fmt: skip
def test_the_name_of_a_table_says_what_it_holds(name: str, role: str | None) -> None:
    assert role_of(table(name, "id integer"), table("blog_article", "id integer")) == role


EVENTS_TABLE = table(
    "events",
    "id uuid,user_id uuid,post_id uuid,event_type Like|post_viewed|SHARE|bookmark|dislike,at timestamptz",
)


def test_a_table_of_events_is_split_by_their_type_and_a_dislike_is_no_like() -> None:
    found = propose([*SUPABASE[:2], EVENTS_TABLE], {})

    assert {kind: source.condition.partition(" IN ")[2] for kind, source in found.events} == {
        "view": "('post_viewed'), false)",
        "like": "('Like', 'bookmark'), false)",
        "share": "('SHARE'), false)",
    }
    assert (
        "public.events.event_type: Like -> like, post_viewed -> view, SHARE -> share, bookmark -> like, "
        in (found.notes[0])
    )
    assert "dislike -> not counted" in found.notes[0]


def test_unknown_types_of_events_are_asked_and_answered() -> None:
    reactions = table("reactions", "user_id uuid,post_id uuid,kind love|meh|angry|grin,at timestamptz", "")

    with pytest.raises(AdoptionError, match=r"what do 'meh', 'grin' mean.*--event-map meh=like"):
        propose([*SUPABASE[:2], reactions], {})
    found = propose([*SUPABASE[:2], reactions], {}, event_types={"meh": "", "grin": "view"})

    with pytest.raises(AdoptionError, match="--event-map smile=like: no event has this type"):
        propose([*SUPABASE[:2], reactions], {}, event_types={"meh": "", "grin": "view", "smile": "like"})
    assert [(kind, source.condition.partition(" IN ")[2]) for kind, source in found.events] == [
        ("view", "('grin'), false)"),
        ("like", "('love'), false)"),
    ]


@pytest.mark.parametrize(
    ("columns", "question"),
    [
        ("reactions:user_id uuid,post_id uuid,type smallint", "type (smallint) may say what a row is"),
        ("ratings:user_id uuid,post_id uuid,stars integer", "which ratings are likes"),
        ("likes:user_id uuid,likeable_id uuid,likeable_type smallint", "which value means a post"),
    ],
)
def test_numbers_that_say_what_an_event_is_are_asked(columns: str, question: str) -> None:
    name, _, definition = columns.partition(":")

    with pytest.raises(AdoptionError) as raised:
        propose([*SUPABASE[:2], table(name, definition, "")], {})

    assert question in str(raised.value)


def test_generic_relations_of_django_refer_to_posts_of_their_content_type() -> None:
    likes = table(
        "likes_like",
        "id integer,user_id integer > auth_user.id,content_type_id integer > django_content_type.id,object_id integer",
    )

    [(kind, source)] = propose([*DJANGO, likes], {"like": "likes_like"}).events

    assert (kind, source.get("post_id")) == ("like", "object_id")
    assert "c.app_label || '_' || c.model = 'blog_post'" in source.condition


def test_an_unused_table_of_users_and_posts_gives_a_note() -> None:
    flags = table("post_flags", "id uuid,user_id uuid,post_id uuid,at timestamptz")
    references = table("spotlight", "who uuid > profiles.id,what uuid > posts.id", "")

    notes = propose([*SUPABASE, flags, references], {}).notes

    assert [note.partition(" ")[0] for note in notes] == ["public.post_flags", "public.spotlight"]
    assert notes[0].endswith("--map like=post_flags")


def test_users_of_supabase_may_be_referred_to_in_the_table_of_accounts() -> None:
    account = Reference("auth", "users", "id")
    uuid = partial(Column, type="uuid", reference=account)
    profiles = replace(SUPABASE[0], columns=(uuid("id"), *SUPABASE[0].columns[1:]))
    posts = replace(SUPABASE[1], columns=(SUPABASE[1].columns[0], uuid("owner"), *SUPABASE[1].columns[2:]))
    likes = table("likes", "liker uuid,post_id uuid > posts.id,created_at timestamptz", "")
    likes = replace(likes, columns=(uuid("liker"), *likes.columns[1:]))

    found = propose([profiles, posts, likes], {})

    assert (found.users.table.name, found.posts.get("author_id")) == ("profiles", "owner")
    assert mapped(found)["like"]["user_id"] == "liker"


def test_a_profile_with_a_key_of_its_own_is_found_by_the_account_that_posts_refer_to() -> None:
    account = partial(Column, type="uuid", reference=Reference("auth", "users", "id"))
    profiles = table("profiles", "id uuid,account uuid,username text")
    profiles = replace(profiles, columns=(profiles.columns[0], account("account"), profiles.columns[2]))
    posts = replace(
        SUPABASE[1], columns=(SUPABASE[1].columns[0], account("user_id"), *SUPABASE[1].columns[2:])
    )

    assert propose([profiles, posts], {}).users.get("id") == "account"


@pytest.mark.parametrize(
    "name",
    ["owner", "posted_by", "poster", "account_id", "profile_id", "creator", "submitted_by", "authorid"],
)
def test_the_author_has_one_of_many_names_and_hides_nothing(name: str) -> None:
    posts = table("posts", f"id uuid,{name} uuid,content text,created_at timestamptz")

    found = propose([SUPABASE[0], posts], {}).posts

    assert (found.get("author_id"), found.published.columns) == (name, ())


def test_a_partitioned_table_may_have_its_time_in_the_key() -> None:
    posts = table("posts", "id uuid,user_id uuid,content text,created_at timestamptz", "id created_at")

    assert propose([SUPABASE[0], posts], {}).posts.get("id") == "id"


def test_columns_may_have_the_name_of_their_table() -> None:
    tables = [
        table("wp_users", "ID bigint,user_login text,user_registered timestamptz", "ID"),
        table(
            "wp_posts",
            "ID bigint,post_author bigint,post_date timestamptz,post_content text,post_title text,post_status text,"
            "post_parent bigint",
            "ID",
        ),
        table(
            "wp_comments", "comment_ID bigint,comment_post_ID bigint,user_id bigint,comment_date timestamptz"
        ),
    ]
    tweets = table(
        "tweets", "tweet_id bigint,user_id bigint,tweet_text text,created_at timestamptz,in_reply_to_tweet_id bigint,"
        "retweet_of bigint,pinned_tweet bigint > tweets.tweet_id", "tweet_id"
    )  # fmt: skip

    found = propose(tables, {})
    of_tweets = propose([UNCONSTRAINED[0], tweets], {})

    assert found.posts.columns == {
        "id": "ID", "author_id": "post_author", "created_at": "post_date", "content": "post_content",
        "title": "post_title", "reply_to": "post_parent",
    }  # fmt: skip
    assert found.posts.published.columns == ("post_status",)
    assert mapped(found)["comment"]["post_id"] == "comment_post_ID"
    assert (of_tweets.posts.get("reply_to"), of_tweets.posts.get("repost_of")) == (
        "in_reply_to_tweet_id",
        "retweet_of",
    )
    assert "public.tweets.pinned_tweet refers to posts and is not used" in of_tweets.notes[0]


def test_the_only_time_of_an_event_is_its_own() -> None:
    likes = table("likes", "user_id uuid,post_id uuid,liked_on timestamptz,deleted_at timestamptz", "")

    found = propose([*SUPABASE[:2], likes], {})

    assert mapped(found)["like"]["created_at"] == "liked_on"
    assert dict(found.events)["like"].published.columns == ("deleted_at",)


def test_attachments_of_posts_are_no_posts() -> None:
    photos = table("photos", "id uuid,post_id uuid > posts.id,user_id uuid,created_at timestamptz")

    assert propose([*SUPABASE, photos], {}).posts.table.name == "posts"
    with pytest.raises(AdoptionError, match="may be meant"):
        propose([*SUPABASE, table("photos", "id uuid,user_id uuid,created_at timestamptz")], {})


def test_a_table_of_follows_and_blocks_is_asked() -> None:
    relationships = table("relationships", "follower_id bigint,followed_id bigint,type text", "")

    with pytest.raises(AdoptionError, match=r"type .text. may say what a row is; say which rows count"):
        propose([*UNCONSTRAINED[:2], relationships], {})
    found = propose([*UNCONSTRAINED[:2], relationships], {"feed_follows.visible": "(t.type = 'follow')"})

    assert found.follows is not None


def test_users_may_be_in_another_schema() -> None:
    accounts = replace(table("users", "id uuid,email text,created_at timestamptz"), schema="auth")
    owner = Column("user_id", "uuid", Reference("auth", "users", "id"))
    posts = replace(SUPABASE[1], columns=(SUPABASE[1].columns[0], owner, *SUPABASE[1].columns[2:]))

    assert str(propose([posts, accounts], {}).users.table) == "auth.users"
    assert str(propose([SUPABASE[0], posts, accounts], {}).users.table) == "public.profiles"


def without(tables: list[Table], *names: str) -> list[Table]:
    return [one for one in tables if one.name not in names]


POST = "id integer,content text,createdAt timestamp"


@pytest.mark.parametrize(
    ("tables", "question"),
    [
        ([], "a schema without tables of a team"),
        ([table("widgets", "id integer")], "feed_posts: nothing was recognised in the tables public.widgets"),
        (
            [*SUPABASE, table("articles", "id uuid,author_id uuid,body text,created_at timestamptz")],
            "feed_posts: public.posts, public.articles may be meant",
        ),
        (
            [PRISMA[0], table("Post", f"{POST},userId integer,ownerId integer")],
            "userId and ownerId may be author_id",
        ),
        ([PRISMA[0], table("Post", f"{POST},authorId integer,body text")], "content and body may be content"),
        (
            [PRISMA[0], table("Post", f"{POST},authorId integer,status integer")],
            "status (integer) may hide rows",
        ),
        (
            [
                PRISMA[0],
                table("Post", "a integer,b integer,authorId integer,content text,createdAt timestamp", "a b"),
            ],
            "the key has the columns a and b",
        ),
        (
            [*PRISMA[:2], table("_Follows", "A integer > User.id,B integer > User.id", "")],
            "which of A and B is follower_id",
        ),
        (
            [*SUPABASE, table("deleted_posts", "post_id uuid,at timestamptz", "post_id")],
            "public.deleted_posts refers to posts; are those hidden?",
        ),
    ],
)
def test_what_is_ambiguous_is_asked(tables: list[Table], question: str) -> None:
    with pytest.raises(AdoptionError) as raised:
        propose(tables, {})
    assert question in str(raised.value)
    assert "--map" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_answers_override_the_proposal() -> None:
    given = parse_answers(
        ["feed_posts.content=title,feed_posts.tags=(ARRAY['a', 'b'])", "like=", "feed_posts.title="]
    )

    found = propose(PRISMA, given)

    assert mapped(found)["feed_posts"]["content"] == "title"
    assert mapped(found)["feed_posts"]["tags"] == "(ARRAY['a', 'b'])"
    assert found.events == []


def test_an_answer_about_published_rows_does_not_show_deleted_ones() -> None:
    posts = table(
        "posts",
        "id uuid,user_id uuid,status integer,deleted_at timestamptz,content text,created_at timestamptz",
    )

    found = propose([SUPABASE[0], posts], {"feed_posts.visible": "(t.status = 1)"})

    assert found.posts.published.condition == 't."deleted_at" IS NULL'


def test_an_answer_decides_about_the_columns_that_it_mentions() -> None:
    posts = table("posts", "id uuid,user_id uuid,approved_at timestamptz,content text,created_at timestamptz")

    found = propose([SUPABASE[0], posts], {"feed_posts.visible": "(t.approved_at IS NOT NULL OR true)"})

    assert found.posts.published.condition == "true"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("feed_posts=nope", "no such table"),
        ("feed_posts.content=nope", "has no such column"),
        ("feed_posts.contents=content", "nothing has this name"),
        ("content", "pairs such as"),
    ],
)
def test_a_wrong_answer_is_an_error(given: str, problem: str) -> None:
    with pytest.raises(AdoptionError, match=problem):
        propose(PRISMA, parse_answers([given]))


def test_views_by_foreign_keys_of_any_name_are_events() -> None:
    views = table("post_views", "viewer uuid > profiles.id,post uuid > posts.id,at timestamptz", "")

    found = mapped(propose([*SUPABASE, views], {}))

    assert found["view"] == {"": "post_views", "user_id": "viewer", "post_id": "post", "created_at": "at"}
