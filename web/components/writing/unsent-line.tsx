"use client";

import { useStore } from "zustand";
import { useEvents } from "../events-provider";
import { useWriteStates } from "./writes-provider";

/** How much of what the user has done is not stored yet, above the lower edge of the screen. Empty if all is stored. */
export function UnsentLine() {
  const { count: actions } = useStore(useEvents().unsent);
  const delayed = useWriteStates((states) =>
    count(states, ({ sent, delayed, rejection }) => !sent && delayed && !rejection),
  );
  const rejected = useWriteStates((states) => count(states, ({ rejection }) => rejection !== null));
  const delayedParts = [pluralise(delayed, "post"), pluralise(actions, "action")].filter((part) => part !== null);
  const parts = [
    delayedParts.length > 0 && `${delayedParts.join(" and ")} not sent yet`,
    rejected > 0 && `${pluralise(rejected, "post")} not accepted`,
  ].filter((part) => part !== false);
  return (
    <div
      role="status"
      className="pointer-events-none fixed right-3 bottom-[calc(4.25rem+env(safe-area-inset-bottom))] left-3 z-30 flex justify-center md:bottom-4 md:justify-end"
    >
      {parts.length > 0 && (
        <p className="pointer-events-auto flex flex-wrap items-center gap-x-3 rounded-card border border-line bg-raised px-4 py-2 text-sm shadow-overlay">
          {parts.join(", ")}
          {delayed + rejected > 0 && (
            <a href="/compose" className="font-semibold underline">
              Show
            </a>
          )}
        </p>
      )}
    </div>
  );
}

function count<T>(states: Readonly<Record<string, T>>, matches: (state: T) => boolean): number {
  return Object.values(states).filter(matches).length;
}

function pluralise(number: number, noun: string): string | null {
  return number === 0 ? null : `${number} ${noun}${number === 1 ? "" : "s"}`;
}
