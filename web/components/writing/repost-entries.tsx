"use client";

import { Link2, PenLine, Repeat2, Undo2 } from "lucide-react";
import type { RefObject } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { useEvents } from "../events-provider";
import { sharePost } from "../share-post";
import { MenuContent } from "../ui/menu-content";
import type { MenuEntry } from "../ui/menu-entry";
import type { OwnRepost } from "./own-repost";
import { useWriteQueue } from "./use-write-queue";

interface RepostEntriesProps {
  post: PostWithUser;
  /** The page of the feed that showed the post. */
  requestId: string | null;
  announce: (message: string) => void;
  ownRepost: OwnRepost;
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
}

/** The open menu of the repost button. */
export function RepostEntries({ post, requestId, announce, ownRepost, anchor, onClose }: RepostEntriesProps) {
  const { record } = useEvents();
  const repost = useRepostEntry(post.id, requestId, ownRepost);
  const share = async () => {
    if (await sharePost(post, announce)) record(post.id, "share", { requestId });
  };
  const quoteParameters = new URLSearchParams({ quote: post.id, ...(requestId !== null && { request_id: requestId }) });
  const entries: MenuEntry[] = [
    repost,
    { label: "Quote", icon: PenLine, href: `/compose?${quoteParameters}` },
    {
      label: "Share link",
      icon: Link2,
      onSelect: () => void share().catch(() => announce("The link could not be shared. Please try again.")),
    },
  ];
  return <MenuContent label="Repost or quote" entries={entries} anchor={anchor} onClose={onClose} />;
}

function useRepostEntry(postId: string, requestId: string | null, { id, unsentId }: OwnRepost): MenuEntry {
  const queue = useWriteQueue();
  if (id !== null) return { label: "Undo repost", icon: Undo2, onSelect: () => queue.delete(id) };
  if (unsentId !== null) return { label: "Cancel repost", icon: Undo2, onSelect: () => queue.discard(unsentId) };
  const repost = { text: "", repost_of: postId, request_id: requestId };
  return { label: "Repost", icon: Repeat2, onSelect: () => void queue.post(repost) };
}
