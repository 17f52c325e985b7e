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
    <fieldset className="mode-switch">
      <legend className="visually-hidden">Which posts</legend>
      {MODES.map((option) => (
        <label key={option.mode}>
          <input
            type="radio"
            className="visually-hidden"
            name={name}
            value={option.mode}
            checked={mode === option.mode}
            onChange={() => onChange(option.mode)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
