"use client";

import type { FeedMode } from "@feed/client";
import { useId } from "react";

const MODES: { mode: FeedMode; label: string }[] = [
  { mode: "ranked", label: "For you" },
  { mode: "following", label: "Following" },
  { mode: "newest", label: "Newest" },
];

/** Selects the list that is shown. Radio buttons support the arrow keys. */
export function ModeSwitch({ mode, onChange }: { mode: FeedMode; onChange: (mode: FeedMode) => void }) {
  const name = useId();
  return (
    <fieldset className="flex gap-0.5">
      <legend className="sr-only">Which posts</legend>
      {MODES.map((option) => (
        <label key={option.mode} className="cursor-pointer">
          <input
            type="radio"
            className="peer sr-only"
            name={name}
            value={option.mode}
            checked={mode === option.mode}
            onChange={() => onChange(option.mode)}
          />
          <span className="block rounded-full px-3 py-2 text-md font-semibold text-soft -outline-offset-2 outline-focus transition-colors peer-checked:bg-sunken peer-checked:text-ink peer-focus-visible:outline-2 hover:text-ink md:px-4 forced-colors:peer-checked:outline-2">
            {option.label}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
