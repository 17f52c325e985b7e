"use client";

import { useState } from "react";
import { postJson } from "./post-json";
import { Button } from "./ui/button";

interface FollowButtonProps {
  user: string;
  author: { id: string; name: string };
}

/** Follows a suggested author, or ends it. Shows the previous state if it cannot be stored. */
export function FollowButton({ user, author }: FollowButtonProps) {
  const [follows, setFollows] = useState(false);
  const toggle = () => {
    setFollows(!follows);
    postJson("/api/follows", { user, author_id: author.id, follows: !follows }).catch(() => setFollows(follows));
  };
  return (
    <Button
      size="small"
      variant={follows ? "outline" : "primary"}
      aria-label={`${follows ? "Unfollow" : "Follow"} @${author.name}`}
      onClick={toggle}
    >
      {follows ? "Following" : "Follow"}
    </Button>
  );
}
