import type { Health } from "@feed/client";
import type { ReactNode } from "react";
import { cn } from "@/components/ui/cn";
import { formatName } from "./names";

interface ServiceStateProps {
  /** Null if the service does not respond. */
  health: Health | null;
  isDatabaseAvailable: boolean;
  /** True if the active version of the registry should not serve. */
  isModelBad: boolean;
  /** The percentage of users with the ranked feed. */
  feedPercent: number;
}

/** The state of the parts, now. */
export function ServiceState({ health, isDatabaseAvailable, isModelBad, feedPercent }: ServiceStateProps) {
  return (
    <>
      <div className="tiles grid grid-cols-[repeat(auto-fit,minmax(min(10.5rem,100%),1fr))] gap-3">
        <Tile label="Service" tone={health === null ? "bad" : health.status === "healthy" ? "good" : "fair"}>
          {health?.status ?? "no response"}
        </Tile>
        <Tile label="Database" tone={isDatabaseAvailable ? "good" : "bad"}>
          {isDatabaseAvailable ? "available" : "no response"}
        </Tile>
        <Tile label="Model" tone={isModelBad ? "bad" : health?.model_loaded ? "good" : "fair"}>
          {health?.model_version ?? "none"}
          {isModelBad && (
            <a href="/operator/models" className="block text-sm text-bad underline">
              a bad model is active
            </a>
          )}
        </Tile>
        <Tile label="Ranked feed" tone="good">
          {`${feedPercent} % of users`}
        </Tile>
      </div>
      {health && (
        <details className="mt-3 text-sm">
          <summary className="text-soft">All fields of the health report</summary>
          <HealthFields health={health} />
        </details>
      )}
    </>
  );
}

const DOT = { good: "bg-good", fair: "bg-fair", bad: "bg-bad" };

function Tile({ label, tone, children }: { label: string; tone: keyof typeof DOT; children: ReactNode }) {
  return (
    <div className="grid gap-1 rounded-card border border-line bg-raised px-4.5 py-3.5">
      <span className="text-sm text-soft">{label}</span>
      <strong className="text-lg font-semibold wrap-anywhere">
        <span aria-hidden="true" className={cn("mr-2 inline-block size-2.5 rounded-full", DOT[tone])} />
        {children}
      </strong>
    </div>
  );
}

/** The fields that have no tile. */
function HealthFields({ health }: { health: Health }) {
  const rows = Object.entries(health).filter(([name]) => !["status", "model_version", "model_loaded"].includes(name));
  return (
    <dl className="mt-2 grid grid-cols-[repeat(auto-fill,minmax(min(16rem,100%),1fr))] gap-x-6 gap-y-1">
      {rows.map(([name, value]) => (
        <div key={name} className="flex justify-between gap-3 border-b border-line py-1.5">
          <dt className="text-soft">{formatName(name)}</dt>
          <dd className="text-right wrap-anywhere tabular-nums">{formatValue(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function formatValue(value: unknown): string {
  if (value === null) return "–";
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 1 });
  return typeof value === "string" ? value : JSON.stringify(value);
}
