"use client";

import type { PostAuthor } from "@/lib/feed/post";
import { useFollows, useIsFollowing } from "./follows-provider";
import { Button } from "./ui/button";

/** Follows an author, or ends it. Shows the previous state if it cannot be stored. */
export function FollowButton({ author }: { author: PostAuthor }) {
  const { setFollow } = useFollows();
  const follows = useIsFollowing(author);
  return (
    <Button
      size="small"
      variant={follows ? "outline" : "primary"}
      aria-label={`${follows ? "Unfollow" : "Follow"} @${author.name}`}
      onClick={() => void setFollow(author, !follows).catch(() => undefined)}
    >
      {follows ? "Following" : "Follow"}
    </Button>
  );
}
