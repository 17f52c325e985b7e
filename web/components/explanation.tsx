"use client";

import { Sparkle } from "lucide-react";
import { useOverlay } from "./ui/overlay-trigger";

interface ExplanationProps {
  postId: string;
  /** Why the post is shown. */
  sentence: string;
}

const loadPopover = () => import("./explanation-popover").then((module) => module.ExplanationPopover);

/** A button that says why a post is shown. It opens a popover, which loads what the score is made of. */
export function Explanation({ postId, sentence }: ExplanationProps) {
  const { anchor, close, triggerProps, Content } = useOverlay("dialog", loadPopover);
  return (
    <>
      <button
        type="button"
        className="explanation-button mt-1 -ml-1.5 flex min-h-7 w-fit max-w-full items-center gap-1.5 rounded-full px-1.5 text-left text-xs text-soft transition-colors hover:bg-sunken hover:text-ink"
        aria-keyshortcuts="w"
        {...triggerProps}
      >
        <Sparkle size={15} className="shrink-0" />
        <span className="sr-only">Why this post: </span>
        <span className="min-w-0 wrap-anywhere">{sentence}</span>
      </button>
      {Content && <Content postId={postId} sentence={sentence} anchor={anchor} onClose={close} />}
    </>
  );
}
