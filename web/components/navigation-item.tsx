import type { ReactNode } from "react";

/** The look of an entry of the navigation: an icon, and its label where there is room. */
export const NAVIGATION_ITEM =
  "flex h-12 min-w-11 items-center justify-center gap-4 rounded-xl px-2.5 text-soft transition-colors hover:bg-sunken hover:text-ink aria-[current=page]:font-bold aria-[current=page]:text-ink lg:justify-start lg:px-3.5";

/** The label of an entry. It is visible on wide screens only, and read aloud on all. */
export function NavigationLabel({ children }: { children: ReactNode }) {
  return <span className="text-left whitespace-nowrap max-lg:sr-only">{children}</span>;
}
