"""PUT of users, PUT and DELETE of posts, and POST /posts/batch: for teams without shared tables."""

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import (
    ErasedUser,
    InvalidId,
    InvalidPost,
    ManagedElsewhere,
    StorageUnavailable,
    UnknownAuthor,
)
from app.presentation.api.dependencies import ApiOptions, services_of
from app.presentation.api.json_body import BODY_PROBLEMS, decode, decode_each, is_partial, read_body
from app.presentation.api.request_threads import RequestThreads
from app.presentation.api.routers.write_routes import accepted, rejected_items, write_route
from app.presentation.schemas.batch_schema import MAX_BATCH
from app.presentation.schemas.entity_schema import (
    BatchPost,
    DeletedResponse,
    PostBatchRequest,
    PostBatchResponse,
    PostBody,
    StoredResponse,
    UserBody,
)

_STORED = {"status": "stored"}
_PROBLEMS = (InvalidId, ManagedElsewhere, StorageUnavailable)


def entities_router(options: ApiOptions, threads: RequestThreads) -> APIRouter:
    """The routes that store users and posts."""
    router = APIRouter(tags=["entities"])

    @router.put(
        "/users/{user_id:id}",
        summary="Create a user, or change some fields",
        **write_route(
            StoredResponse, _STORED, *BODY_PROBLEMS, ErasedUser, UnknownAuthor, *_PROBLEMS, body=UserBody
        ),
    )
    async def put_user(request: Request, user_id: str) -> Response:
        """Responds after the commit; it holds from the next feed on. Fields that are omitted stay as they are."""
        fields = decode(await read_body(request, options), UserBody).given()
        write = services_of(request.scope).entities
        await threads.run(lambda: write.put_user(user_id, fields))
        return accepted(StoredResponse())

    @router.put(
        "/posts/{post_id:id}",
        summary="Create a post, or change some fields",
        **write_route(StoredResponse, _STORED, *BODY_PROBLEMS, InvalidPost, *_PROBLEMS, body=PostBody),
    )
    async def put_post(request: Request, post_id: str) -> Response:
        """As for users. An author who is new gets a row; a post may arrive before the posts that it refers to."""
        fields = decode(await read_body(request, options), PostBody).given()
        write = services_of(request.scope).entities
        await threads.run(lambda: write.put_post(post_id, fields))
        return accepted(StoredResponse())

    @router.delete(
        "/posts/{post_id:id}",
        summary="Delete a post with its events",
        **write_route(DeletedResponse, {"status": "deleted"}, *_PROBLEMS),
    )
    async def delete_post(request: Request, post_id: str) -> Response:
        """No later response shows it. A post that does not exist is no error, so the call can be repeated."""
        write = services_of(request.scope).entities
        await threads.run(lambda: write.delete_post(post_id))
        return accepted(DeletedResponse())

    @router.post(
        "/posts/batch",
        summary="Create or change up to 500 posts, all or none",
        **write_route(
            PostBatchResponse,
            {**_STORED, "accepted": 2},
            *BODY_PROBLEMS,
            InvalidPost,
            *_PROBLEMS,
            body=PostBatchRequest,
            may_be_partial=True,
        ),
    )
    async def put_posts(request: Request) -> Response:
        """As PUT for each post. With `partial=true`, valid posts are stored though others are not."""
        write, body = services_of(request.scope).entities, await read_body(request, options)
        if is_partial(request):
            valid, invalid = await threads.decode_batch(
                partial(decode_each, body, "posts", BatchPost, MAX_BATCH)
            )
            places, given = list(valid), [(post.id, post.given()) for post in valid.values()]
            errors = await threads.run(lambda: write.put_valid_posts(given))
            rejected = rejected_items({**invalid, **{places[row]: error for row, error in errors.items()}})
            return accepted(PostBatchResponse(accepted=len(given) - len(errors), rejected=rejected))
        query = await threads.decode_batch(partial(decode, body, PostBatchRequest))
        posts = [(post.id, post.given()) for post in query.posts]
        await threads.run(lambda: write.put_posts(posts))
        return accepted(PostBatchResponse(accepted=len(posts)))

    return router
