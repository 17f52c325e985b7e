"use client";

import type { FeedMode } from "@feed/client";
import { useId } from "react";
import { FEED_MODES } from "@/lib/feed/feed-mode";

const LABELS: Record<FeedMode, string> = { ranked: "For you", following: "Following", newest: "Newest" };

/** Selects the list that is shown. Radio buttons support the arrow keys. */
export function ModeSwitch({ mode, onChange }: { mode: FeedMode; onChange: (mode: FeedMode) => void }) {
  const name = useId();
  return (
    <fieldset className="flex gap-0.5">
      <legend className="sr-only">Which posts</legend>
      {FEED_MODES.map((option) => (
        <label key={option} className="cursor-pointer">
          <input
            type="radio"
            className="peer sr-only"
            name={name}
            value={option}
            checked={mode === option}
            onChange={() => onChange(option)}
          />
          <span className="block rounded-full px-3 py-2 text-md font-semibold text-soft -outline-offset-2 outline-focus transition-colors peer-checked:bg-sunken peer-checked:text-ink peer-focus-visible:outline-2 hover:text-ink md:px-4 forced-colors:peer-checked:outline-2">
            {LABELS[option]}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
