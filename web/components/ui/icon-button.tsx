import type { ComponentProps } from "react";
import { cn } from "./cn";

/** A round button with an icon. The label is for screen readers. */
export function IconButton({ label, className, ...props }: ComponentProps<"button"> & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      className={cn(
        "grid size-10 shrink-0 place-items-center rounded-full text-soft transition-colors hover:bg-sunken hover:text-ink",
        className,
      )}
      {...props}
    />
  );
}
