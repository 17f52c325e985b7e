import type { ComponentProps } from "react";
import { cn } from "./cn";

export type ButtonVariant = "primary" | "outline" | "quiet" | "danger";
export type ButtonSize = "small" | "medium";

const VARIANTS: Record<ButtonVariant, string> = {
  primary: "bg-ink text-paper enabled:hover:bg-ink/85 disabled:bg-sunken disabled:text-soft",
  outline: "border border-line bg-raised hover:bg-sunken disabled:bg-raised disabled:text-soft",
  quiet: "text-soft hover:bg-sunken hover:text-ink",
  danger: "border border-line bg-raised text-bad hover:bg-sunken",
};
const SIZES: Record<ButtonSize, string> = { small: "h-9 px-3.5 text-sm", medium: "h-10 px-4.5 text-md" };

interface Look {
  variant?: ButtonVariant;
  size?: ButtonSize;
}

function look({ variant = "outline", size = "medium" }: Look, className?: string): string {
  return cn(
    "inline-flex shrink-0 items-center justify-center gap-2 rounded-full font-semibold whitespace-nowrap transition-colors",
    VARIANTS[variant],
    SIZES[size],
    className,
  );
}

export function Button({ variant, size, className, type = "button", ...props }: ComponentProps<"button"> & Look) {
  return <button type={type} className={look({ variant, size }, className)} {...props} />;
}

/** A link with the look of a button. */
export function ButtonLink({ variant, size, className, ...props }: ComponentProps<"a"> & Look) {
  return <a className={look({ variant, size }, className)} {...props} />;
}
