import { cn } from "./cn";

/** A grey shape in place of text or a picture that is loading. The class sets its size. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden="true" className={cn("block animate-pulse rounded-md bg-sunken", className)} />;
}
