import type { ComponentProps } from "react";
import { cn } from "../ui/cn";

interface ChoiceProps extends Omit<ComponentProps<"input">, "type"> {
  label: string;
  /** The language of the label, if it is not that of the page. */
  labelLanguage?: string;
}

/** A checkbox with its label. */
export function Choice({ label, labelLanguage, className, ...props }: ChoiceProps) {
  return (
    <label
      className={cn(
        "flex min-w-0 cursor-pointer items-center gap-3 rounded-xl border border-line px-3.5 py-2.5 has-checked:border-ink has-checked:bg-sunken has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-focus",
        className,
      )}
    >
      <input type="checkbox" className="size-4.5 shrink-0 accent-ink outline-none" {...props} />
      <span className="min-w-0 wrap-anywhere" lang={labelLanguage} dir="auto">
        {label}
      </span>
    </label>
  );
}
