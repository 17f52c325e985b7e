import Link from "next/link";
import type { ReactNode } from "react";
import { config } from "@/lib/platform/config";
import { GaugeIcon, HomeIcon } from "./icons";
import { type Theme, ThemeToggle } from "./theme-toggle";

/**
 * The frame of every page: a navigation rail at the side, or a bar at the bottom on phones. The feed page is not
 * fetched in advance, because the service counts its posts as shown.
 */
export function Shell({ theme, children }: { theme: Theme; children: ReactNode }) {
  return (
    <div className="shell">
      <nav className="rail" aria-label="Main">
        <Link href="/" className="brand" aria-label="Strand, your feed" prefetch={false}>
          <svg viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">
            <path
              d="M22.500 9.500c-1.300-2.300-3.600-3.500-6.500-3.500-3.700 0-6.500 2-6.500 5 0 6.800 13.500 3.200 13.500 10 0 3-2.900 5-7 5-3.400 0-6-1.500-7.200-4"
              fill="none"
              stroke="currentColor"
              strokeWidth="3"
              strokeLinecap="round"
            />
          </svg>
        </Link>
        <Link href="/" className="rail-link" aria-label="Feed" title="Feed" prefetch={false}>
          <HomeIcon />
        </Link>
        {config.operatorPage && (
          <Link
            href="/operator"
            className="rail-link"
            aria-label="Operator page"
            title="Operator page"
            prefetch={false}
          >
            <GaugeIcon />
          </Link>
        )}
        <ThemeToggle theme={theme} />
      </nav>
      {children}
    </div>
  );
}
