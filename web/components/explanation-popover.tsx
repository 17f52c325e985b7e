"use client";

import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import type { RefObject } from "react";
import type { PostExplanation } from "@/lib/feed/post";
import { barsOf, formatNumber, rawValues } from "./explanation-values";
import { cn } from "./ui/cn";
import { IconButton } from "./ui/icon-button";
import { PopoverContent } from "./ui/popover-content";

const MAX_BARS = 8;

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

/** Bars to the right raise the score of the post, bars to the left lower it. */
function Bars({ explanation }: { explanation: PostExplanation }) {
  const bars = barsOf(explanation).slice(0, MAX_BARS);
  if (bars.length === 0) return null;
  const largest = Math.max(...bars.map(({ value }) => Math.abs(value)));
  return (
    <dl className="facts my-3 grid gap-1.5 text-sm">
      {bars.map(({ name, value }) => (
        <div key={name} className="grid grid-cols-2 items-center gap-2.5">
          <dt className="text-soft">{name}</dt>
          <dd className="grid grid-cols-[1fr_5ch] items-center gap-2 tabular-nums">
            <span className="relative block h-1.5 rounded-full bg-sunken">
              <span
                className={cn(
                  "absolute inset-y-0 bg-soft",
                  value < 0 ? "right-1/2 rounded-l-full" : "left-1/2 rounded-r-full",
                )}
                style={{ width: `${(Math.abs(value) / largest) * 50}%` }}
              />
            </span>
            <span className="text-right">
              {value > 0 && "+"}
              {formatNumber(value)}
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function RawValues({ explanation: { factors: _shownAsBars, ...values } }: { explanation: PostExplanation }) {
  return (
    <details className="text-xs">
      <summary className="text-soft">All values</summary>
      <dl>
        {rawValues(values).map(({ name, text }) => (
          <div key={name} className="flex justify-between gap-2.5">
            <dt className="wrap-anywhere">{name}</dt>
            <dd className="tabular-nums">{text}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
