"""What arrives at a service during a load: events of users, and new posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import numpy as np


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Likes of random users and posts, and posts of random users, at constant rates."""

    events_per_second: float = 0.0
    posts_per_second: float = 0.0
    users: Sequence[str] = ()
    posts: Sequence[str] = ()

    def __str__(self) -> str:
        parts = (self.events_per_second, "events"), (self.posts_per_second, "posts")
        return " and ".join(f"{rate:g} {name}/s" for rate, name in parts if rate)

    def jobs(self, seconds: float) -> list[dict[str, Any]]:
        """The jobs of `benchmarks.load` for a load of some seconds: a rate, a path and a body for each request."""
        random = np.random.default_rng()

        def event() -> dict[str, str]:
            user, post = random.choice(self.users), random.choice(self.posts)
            return {"user_id": str(user), "post_id": str(post), "interaction_type": "like"}

        def post() -> dict[str, Any]:
            author = str(random.choice(self.users))
            return {"posts": [{"id": str(uuid4()), "author_id": author, "content": f"a post of {author}"}]}

        kinds = (
            (self.events_per_second, "/interactions/track", event),
            (self.posts_per_second, "/posts/batch", post),
        )
        return [
            {"per_second": rate, "path": path, "bodies": [make() for _ in range(int(rate * seconds) + 1)]}
            for rate, path, make in kinds
            if rate
        ]


NOTHING: Final = Arrivals()
