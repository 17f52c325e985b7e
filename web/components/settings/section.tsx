import type { ReactNode } from "react";

interface SectionProps {
  id: string;
  title: string;
  /** What the section is for. */
  description: string;
  children: ReactNode;
}

/** A part of the settings with a heading. */
export function Section({ id, title, description, children }: SectionProps) {
  return (
    <section aria-labelledby={id} className="border-b border-line px-gutter py-6 last:border-b-0">
      <h2 id={id} className="text-lg font-bold">
        {title}
      </h2>
      <p className="mt-1 mb-4 text-md text-soft">{description}</p>
      {children}
    </section>
  );
}
