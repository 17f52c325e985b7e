"use client";

import type { FeedMode } from "@feed/client";
import { useId } from "react";

const MODES: { mode: FeedMode; label: string }[] = [
  { mode: "ranked", label: "For you" },
  { mode: "following", label: "Following" },
  { mode: "newest", label: "Newest" },
];

/** Which list is shown: a group of radio buttons, so that arrow keys work as everywhere. */
export function ModeSwitch({ mode, onChange }: { mode: FeedMode; onChange: (mode: FeedMode) => void }) {
  const name = useId();
  return (
    <fieldset className="mode-switch">
      <legend className="visually-hidden">Which posts</legend>
      {MODES.map((choice) => (
        <label key={choice.mode}>
          <input
            type="radio"
            className="visually-hidden"
            name={name}
            value={choice.mode}
            checked={mode === choice.mode}
            onChange={() => onChange(choice.mode)}
          />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
