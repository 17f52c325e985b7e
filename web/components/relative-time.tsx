"use client";

import { useEffect, useState } from "react";

const STEPS: [limit: number, seconds: number, unit: string][] = [
  [3600, 60, "m"],
  [86_400, 3600, "h"],
  [604_800, 86_400, "d"],
];
const DATE = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const FULL = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

/** "3h": how long ago; the full time on hover. */
export function RelativeTime({ iso }: { iso: string }) {
  const [now, setNow] = useState<number | null>(null);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  // the server's page shows the date: how long ago depends on when it is read
  return (
    <time dateTime={iso} title={`${FULL.format(new Date(iso))} UTC`}>
      {now === null ? DATE.format(new Date(iso)) : ago(iso, now)}
    </time>
  );
}

export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return "now";
  for (const [limit, size, unit] of STEPS) {
    if (seconds < limit) return `${Math.floor(seconds / size)}${unit}`;
  }
  return DATE.format(new Date(iso));
}
