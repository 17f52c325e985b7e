"use client";

import { Sparkles, X } from "lucide-react";
import { IconButton } from "./ui/icon-button";
import { useLoadOnFirstUse } from "./ui/load-on-first-use";
import { Popover } from "./ui/popover";

interface ExplanationProps {
  postId: string;
  /** Why the post is shown. */
  sentence: string;
}

/** A button that says why a post is shown. It opens a popover, which loads what the score is made of. */
export function Explanation({ postId, sentence }: ExplanationProps) {
  return (
    <Popover
      label="Why this post"
      trigger={(trigger) => (
        <button
          type="button"
          className="explanation-button mt-1 -ml-1.5 flex min-h-7 w-fit max-w-full items-center gap-1.5 rounded-full px-1.5 text-left text-xs text-soft transition-colors hover:bg-sunken hover:text-ink"
          aria-keyshortcuts="w"
          {...trigger}
        >
          <Sparkles size={15} className="shrink-0" />
          <span className="sr-only">Why this post: </span>
          <span className="min-w-0 wrap-anywhere">{sentence}</span>
        </button>
      )}
    >
      {(close) => (
        <>
          <header className="-mt-1.5 -mr-2 mb-1 flex items-center justify-between">
            <h2 className="font-bold">Why this post</h2>
            <IconButton label="Close" onClick={close}>
              <X size={20} />
            </IconButton>
          </header>
          <p>{sentence}.</p>
          <Details postId={postId} onFailure={close} />
        </>
      )}
    </Popover>
  );
}

const loadDetails = () => import("./explanation-details").then((module) => module.ExplanationDetails);

function Details({ postId, onFailure }: { postId: string; onFailure: () => void }) {
  const Loaded = useLoadOnFirstUse(true, loadDetails, onFailure);
  return Loaded && <Loaded postId={postId} />;
}
