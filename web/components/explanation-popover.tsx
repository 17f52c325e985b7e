"use client";

import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import type { RefObject } from "react";
import type { PostExplanation } from "@/lib/feed/post";
import { Bars, RawValues } from "./score-parts";
import { IconButton } from "./ui/icon-button";
import { PopoverContent } from "./ui/popover-content";

interface ExplanationPopoverProps {
  postId: string;
  sentence: string;
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
}

/** Why a post is shown, and what its score is made of. */
export function ExplanationPopover({ postId, sentence, anchor, onClose }: ExplanationPopoverProps) {
  return (
    <PopoverContent label="Why this post" align="start" anchor={anchor} onClose={onClose}>
      <header className="-mt-1.5 -mr-2 mb-1 flex items-center justify-between">
        <h2 className="font-bold">Why this post</h2>
        <IconButton label="Close" onClick={onClose}>
          <X size={20} />
        </IconButton>
      </header>
      <p>{sentence}.</p>
      <Details postId={postId} />
    </PopoverContent>
  );
}

function Details({ postId }: { postId: string }) {
  const { data, isPending, isError } = useQuery({
    queryKey: ["explanation", postId],
    queryFn: async ({ signal }): Promise<PostExplanation> => {
      const response = await fetch(`/api/posts/${postId}/explanation`, { signal });
      if (!response.ok) throw new Error(`GET /api/posts/${postId}/explanation: status ${response.status}`);
      return (await response.json()) as PostExplanation;
    },
    retry: false,
  });
  return (
    <div aria-busy={isPending}>
      {isPending && <p className="text-sm text-soft">Loading the details</p>}
      {isError && <p className="text-sm text-soft">The details are temporarily unavailable.</p>}
      {data && <Bars explanation={data} />}
      {data && <RawValues explanation={data} />}
    </div>
  );
}
