import type { ReactNode } from "react";
import { cn } from "./cn";

export type Tone = "neutral" | "good" | "fair" | "bad";

const TONES: Record<Tone, string> = { neutral: "text-soft", good: "text-good", fair: "text-fair", bad: "text-bad" };

/** A short state, such as "active". */
export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span
      className={cn("inline-flex items-center rounded-full bg-sunken px-2.5 py-0.5 text-xs font-medium", TONES[tone])}
    >
      {children}
    </span>
  );
}
