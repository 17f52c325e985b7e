"use client";

import { useEffect, useId, useRef, useState } from "react";
import type { Dismissal } from "./dismissals";
import { useFeedback } from "./feedback-provider";
import { Button } from "./ui/button";

const UNDO_MS = 10_000;

interface DismissedPostProps {
  dismissal: Dismissal;
  position?: number;
  announce: (message: string) => void;
}

/**
 * The line in place of a dismissed post. It can be undone for ten seconds, and for longer while the keyboard focus is
 * on it, so that keyboard users are not moved elsewhere.
 */
export function DismissedPost({ dismissal, position, announce }: DismissedPostProps) {
  const { undo, expire } = useFeedback();
  const button = useRef<HTMLButtonElement>(null);
  const textId = useId();
  const [timeIsUp, setTimeIsUp] = useState(false);
  const { postId } = dismissal;

  useEffect(() => {
    // The menu that had the focus is gone.
    if (document.activeElement === document.body) button.current?.focus({ preventScroll: true });
    const timer = setTimeout(() => {
      if (button.current?.matches(":focus-visible")) setTimeIsUp(true);
      else expire(postId);
    }, UNDO_MS);
    return () => clearTimeout(timer);
  }, [postId, expire]);

  const undoDismissal = async () => {
    try {
      await undo(dismissal);
    } catch {
      announce("This could not be undone. Please try again.");
    }
  };

  return (
    <article
      className="flex items-center justify-between gap-3 border-b border-line bg-sunken px-gutter py-3 wrap-anywhere text-soft"
      aria-labelledby={textId}
      aria-posinset={position}
      aria-setsize={position === undefined ? undefined : -1}
    >
      <p id={textId}>{dismissal.text}</p>
      <Button
        ref={button}
        aria-describedby={textId}
        onClick={() => void undoDismissal()}
        onBlur={() => timeIsUp && expire(postId)}
      >
        Undo
      </Button>
    </article>
  );
}
