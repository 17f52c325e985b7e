import type { ReactNode } from "react";
import { MoreMenu } from "./more-menu";
import { navigationEntries } from "./navigation";
import { NavigationLabel } from "./navigation-item";
import { NavigationLink } from "./navigation-link";
import { PageNavigation } from "./page-navigation";
import { Shortcuts } from "./shortcuts";
import { type Theme, ThemeToggle } from "./theme-toggle";

interface ShellProps {
  /** The id of the session's user; null without a session. */
  viewerId: string | null;
  theme: Theme;
  /** The right column of wide screens. */
  aside: ReactNode;
  children: ReactNode;
}

/**
 * The frame of every page: navigation at the left, or a bar at the bottom on phones; the page; and a right column from
 * 1280 px. A page with the attribute `data-wide` takes the room of the right column too.
 */
export function Shell({ viewerId, theme, aside, children }: ShellProps) {
  const entries = navigationEntries(viewerId);
  const others = entries.filter(({ inBar }) => !inBar).map(({ href, label }) => ({ href, label }));
  return (
    <div className="group/shell mx-auto grid min-h-dvh max-w-320 grid-cols-[minmax(0,1fr)] content-start pb-[calc(3.75rem+env(safe-area-inset-bottom))] md:grid-cols-[4.5rem_minmax(0,1fr)] md:gap-x-4 md:pr-4 md:pb-0 lg:grid-cols-[14rem_minmax(0,1fr)] lg:gap-x-6 xl:grid-cols-[14rem_minmax(0,1fr)_19rem] xl:pr-5">
      <nav
        aria-label="Main"
        className="fixed inset-x-0 bottom-0 z-20 flex h-[calc(3.75rem+env(safe-area-inset-bottom))] items-center justify-around border-t border-line bg-paper/90 px-1 pb-[env(safe-area-inset-bottom)] backdrop-blur-md md:sticky md:inset-auto md:top-0 md:h-dvh md:flex-col md:items-stretch md:justify-start md:gap-1 md:border-0 md:bg-transparent md:px-2.5 md:py-4 md:backdrop-blur-none"
      >
        <a
          href="/"
          className="mb-3 hidden size-12 place-items-center self-center rounded-xl md:grid lg:ml-0.5 lg:self-start"
        >
          <svg viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">
            <path
              d="M22.500 9.500c-1.300-2.300-3.600-3.500-6.500-3.500-3.700 0-6.500 2-6.500 5 0 6.800 13.500 3.200 13.500 10 0 3-2.900 5-7 5-3.400 0-6-1.500-7.200-4"
              fill="none"
              stroke="currentColor"
              strokeWidth="3"
              strokeLinecap="round"
            />
          </svg>
          <span className="sr-only">Strand, your feed</span>
        </a>
        {entries.map(({ href, label, icon: Icon, inBar, shortcut }) => (
          <NavigationLink
            key={href}
            href={href}
            label={label}
            shortcut={shortcut}
            className={inBar ? undefined : "max-md:hidden"}
          >
            <Icon />
            <NavigationLabel>{label}</NavigationLabel>
          </NavigationLink>
        ))}
        {others.length > 0 && <MoreMenu entries={others} />}
        <div className="contents md:mt-auto md:grid">
          <ThemeToggle theme={theme} />
          <Shortcuts />
        </div>
      </nav>
      {children}
      <PageNavigation />
      <aside
        aria-label="Discover"
        className="sticky top-0 hidden max-h-dvh self-start overflow-y-auto py-5 xl:block xl:group-has-data-wide/shell:hidden"
      >
        {aside}
      </aside>
    </div>
  );
}
