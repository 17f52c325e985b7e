"use client";

import { useCallback } from "react";
import type { Dismissal } from "./dismissals";
import { useFeedback } from "./feedback-provider";
import { UndoLine } from "./undo-line";

interface DismissedPostProps {
  dismissal: Dismissal;
  position?: number;
  announce: (message: string) => void;
}

/** The line in place of a dismissed post. */
export function DismissedPost({ dismissal, position, announce }: DismissedPostProps) {
  const { undo, expire } = useFeedback();
  const { id, text } = dismissal;
  const onExpire = useCallback(() => expire(id), [expire, id]);
  return (
    <article aria-label={text} aria-posinset={position} aria-setsize={position === undefined ? undefined : -1}>
      <UndoLine
        className="border-b border-line"
        text={text}
        onUndo={() => undo(dismissal)}
        onExpire={onExpire}
        announce={announce}
      />
    </article>
  );
}
