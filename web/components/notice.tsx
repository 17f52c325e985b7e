import type { ReactNode } from "react";

interface NoticeProps {
  title: string;
  /** Whether the title is the heading of the page. */
  heading?: "h1" | "h2";
  children: string;
  /** A button or a link. */
  action?: ReactNode;
  alert?: boolean;
}

/** A message in place of posts or of a page. */
export function Notice({ title, heading: Heading = "h2", children, action, alert = false }: NoticeProps) {
  return (
    <section className="notice px-6 py-11 text-center" role={alert ? "alert" : undefined}>
      <Heading className="mb-2.5 text-lg font-bold">{title}</Heading>
      <p className="mx-auto max-w-[40ch] text-soft">{children}</p>
      {action && <div className="mt-4.5">{action}</div>}
    </section>
  );
}
