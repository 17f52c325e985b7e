import type { ReactNode } from "react";
import { cn } from "@/components/ui/cn";

const PAGES = [
  { href: "/operator", label: "Traffic" },
  { href: "/operator/models", label: "Models" },
  { href: "/operator/experiments", label: "Experiments" },
  { href: "/operator/user", label: "User" },
] as const;

export type ConsolePageName = (typeof PAGES)[number]["label"];

/** The frame of a page of the operator console: a heading, the other pages, and the sections. */
export function ConsolePage({ name, about, children }: { name: ConsolePageName; about: string; children: ReactNode }) {
  return (
    <main id="main" data-wide className="w-full min-w-0 px-gutter pb-24 md:px-1 xl:col-span-2">
      <header className="py-3">
        <h1>{name}</h1>
        <p className="text-sm text-soft">{about}</p>
      </header>
      <nav aria-label="Operator console" className="mb-6 flex flex-wrap gap-1 border-b border-line">
        {PAGES.map(({ href, label }) => (
          <a
            key={href}
            href={href}
            aria-current={label === name ? "page" : undefined}
            className={cn(
              "-mb-px border-b-2 px-3 py-2 font-semibold",
              label === name ? "border-accent" : "border-transparent text-soft hover:text-ink",
            )}
          >
            {label}
          </a>
        ))}
      </nav>
      {children}
    </main>
  );
}
