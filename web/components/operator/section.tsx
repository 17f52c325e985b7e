import type { ReactNode } from "react";

/** A part of a page of the console, with its question or subject as the heading. */
export function Section({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section aria-labelledby={id} className="mb-9">
      <h2 className="mb-3 text-lg font-bold wrap-anywhere" id={id}>
        {title}
      </h2>
      {children}
    </section>
  );
}

/** What a section says instead of figures, such as why it has none. */
export function Remark({ children }: { children: ReactNode }) {
  return <p className="mt-2 text-sm text-soft wrap-anywhere">{children}</p>;
}
