import type { ReactNode } from "react";

/** The heading of a page, and what is beside it. */
export function PageHeader({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <header className="flex min-h-16 items-center justify-between gap-4 px-gutter py-3 md:px-1">
      <h1 dir="auto" className="min-w-0 wrap-anywhere">
        {title}
      </h1>
      {children}
    </header>
  );
}
