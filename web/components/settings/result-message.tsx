import type { ReactNode } from "react";
import { cn } from "../ui/cn";

interface ResultMessageProps {
  failed: boolean;
  children: string;
  /** A form that takes the change back. */
  undo?: ReactNode;
}

/** What became of a form. The address of the page leads to it, so that it has the focus. */
export function ResultMessage({ failed, children, undo }: ResultMessageProps) {
  return (
    <div
      id="result"
      tabIndex={-1}
      role={failed ? "alert" : "status"}
      className="flex scroll-mt-20 flex-wrap items-center justify-between gap-3 border-b border-line bg-sunken px-gutter py-3 outline-none"
    >
      <p className={cn("min-w-0 flex-1 basis-60 wrap-anywhere", failed && "text-bad")}>{children}</p>
      {undo}
    </div>
  );
}
