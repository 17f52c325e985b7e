import type { ComponentProps } from "react";
import { cn } from "./cn";

const FIELD = "min-w-0 border border-line bg-paper placeholder:text-soft placeholder:opacity-100";

/** One line of text. */
export function TextField({ className, ...props }: ComponentProps<"input">) {
  return <input className={cn(FIELD, "h-10 rounded-full px-3.5", className)} {...props} />;
}

/** Several lines of text. The field grows with its text, up to half of the screen. */
export function TextArea({ className, rows = 2, ...props }: ComponentProps<"textarea">) {
  return (
    <textarea
      rows={rows}
      className={cn(
        FIELD,
        "field-sizing-content max-h-[50dvh] w-full resize-none rounded-card px-3.5 py-2.5",
        className,
      )}
      {...props}
    />
  );
}
