"use client";

import { memo, useCallback, useEffect, useRef } from "react";
import { useDismissal } from "./feedback-provider";
import { PostCard, type PostCardProps } from "./post-card";
import { useLoadOnFirstUse } from "./ui/load-on-first-use";
import { useDeletion } from "./writing/writes-provider";

const loadDismissedPost = () => import("./dismissed-post").then((module) => module.DismissedPost);

/** One post, or a line with "Undo" in its place after the user has removed it. */
export const PostEntry = memo(function PostEntry(props: PostCardProps) {
  const { post, position, announce } = props;
  const dismissal = useDismissal(post.id);
  const dismissed = dismissal !== undefined;
  const deletion = useDeletion(post.id);
  const ignore = useCallback(() => undefined, []);
  const DismissedPost = useLoadOnFirstUse(dismissed, loadDismissedPost, ignore);

  const wasDismissed = useRef(false);
  useEffect(() => {
    const restored = wasDismissed.current && !dismissed;
    wasDismissed.current = dismissed;
    if (!restored || document.activeElement !== document.body) return;
    // The button that had the focus is gone.
    document.querySelector<HTMLElement>(`article[data-post="${post.id}"]`)?.focus({ preventScroll: true });
  }, [dismissed, post.id]);

  if (deletion !== "none") {
    return (
      <p role="status" className="border-b border-line bg-sunken px-gutter py-3 text-soft">
        {deletion === "sent" ? "You deleted this post." : "Deleting this post…"}
      </p>
    );
  }
  if (!dismissal) return <PostCard {...props} />;
  if (!dismissal.undoable) return <p className="px-6 py-11 text-center text-soft">This post is hidden.</p>;
  return DismissedPost && <DismissedPost dismissal={dismissal} position={position} announce={announce} />;
});
