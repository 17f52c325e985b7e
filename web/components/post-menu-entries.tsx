"use client";

import type { RefObject } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { useEvents } from "./events-provider";
import { feedbackChoices } from "./feedback-choices";
import { useFeedback } from "./feedback-provider";
import { useFollows, useIsFollowing } from "./follows-provider";
import { pathOf } from "./post-link";
import { copyLink } from "./share-post";
import { MenuContent } from "./ui/menu-content";
import type { MenuEntry } from "./ui/menu-entry";
import { useWrites } from "./writing/writes-provider";

interface PostMenuEntriesProps {
  post: PostWithUser;
  requestId: string | null;
  announce: (message: string) => void;
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
}

const NOT_SAVED = "This could not be saved. Please try again.";

/** The open menu of a post. */
export function PostMenuEntries({ post, requestId, announce, anchor, onClose }: PostMenuEntriesProps) {
  const { user, record } = useEvents();
  const { dismiss } = useFeedback();
  const { deletion } = useWrites();
  const follow = useFollowEntry(post, announce);
  const entries: MenuEntry[] = feedbackChoices(post, user).map(({ label, dismissal }) => ({
    label,
    onSelect: () => void dismiss(dismissal).catch(() => announce(NOT_SAVED)),
  }));
  if (follow) entries.push(follow);
  entries.push(
    { label: "Copy link", onSelect: () => void copyLink(post, announce) },
    {
      label: "Open post",
      href: pathOf(post, requestId),
      onSelect: () => record(post.id, "click", { requestId }),
    },
  );
  if (post.author?.id === user) {
    entries.push({
      label: "Delete post",
      danger: true,
      onSelect: () => deletion.setState({ asked: { id: post.id, kind: "post" } }),
    });
  }
  return <MenuContent label="More actions" entries={entries} anchor={anchor} onClose={onClose} />;
}

/** The entry that follows or unfollows the author. Null for the user's own posts and without an author. */
function useFollowEntry({ author }: PostWithUser, announce: (message: string) => void): MenuEntry | null {
  const { user } = useEvents();
  const { setFollow } = useFollows();
  const follows = useIsFollowing(author);
  if (author === null || author.id === user) return null;
  return {
    label: `${follows ? "Unfollow" : "Follow"} @${author.name}`,
    onSelect: () => {
      announce(follows ? `You no longer follow @${author.name}` : `You follow @${author.name}`);
      setFollow(author, !follows).catch(() => announce(NOT_SAVED));
    },
  };
}
