"""The little of HTTP that every request needs, straight on ASGI messages.

The framework's classes for it cost several times as much, most of all between two rankings, which leave little of
other code in the processor's caches.
"""

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of this name (lower case), empty if there is none."""
    for given, value in scope["headers"]:
        if given == name:
            return bytes(value)
    return b""


async def next_chunk(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the request's body, and whether more follows. Raises ClientDisconnect."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


async def send_json(send: Send, content: bytes) -> None:
    """Answer 200 with this JSON."""
    headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def add_header(message: Message, name: bytes, value: bytes) -> None:
    """Add a header to an `http.response.start`."""
    message["headers"] = [*message.get("headers", ()), (name, value)]
