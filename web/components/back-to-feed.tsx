"use client";

import type { ReactNode } from "react";
import { isPlainClick } from "./page-navigation";
import { type TabHistory, tabHistory } from "./tab-history";

/** A link to the feed. It goes back through the history if the reader comes from there, so the position is kept. */
export function BackToFeed({ children }: { children: ReactNode }) {
  return (
    <a
      href="/"
      onClick={(event) => {
        if (!isPlainClick(event)) return;
        const steps = stepsToFeed(tabHistory());
        if (steps === null) return;
        event.preventDefault();
        history.go(steps);
      }}
    >
      {children}
    </a>
  );
}

/** The steps through the history to the last visit of the feed, below 0; null if there is none. */
export function stepsToFeed(tab: TabHistory | undefined): number | null {
  const current = tab?.currentEntry?.index ?? 0;
  const visit = tab
    ?.entries()
    .findLast(({ index, url }) => index < current && url !== null && new URL(url).pathname === "/");
  return visit ? visit.index - current : null;
}
