"use client";

import { useEffect, useState } from "react";

const UNITS: [limitSeconds: number, unitSeconds: number, suffix: string][] = [
  [3600, 60, "m"],
  [86_400, 3600, "h"],
  [604_800, 86_400, "d"],
];
const DATE_FORMAT = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const FULL_FORMAT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

/** The age of a time, such as "3h", with the full time on hover. */
export function RelativeTime({ iso }: { iso: string }) {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  // The age may differ from that in the HTML. A text of another width would move the links next to it.
  return (
    <time suppressHydrationWarning dateTime={iso} title={`${FULL_FORMAT.format(new Date(iso))} UTC`}>
      {ageOf(iso, nowMs)}
    </time>
  );
}

/** The age of a time: "now", minutes, hours or days, and the date after a week. */
export function ageOf(iso: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(iso)) / 1000);
  if (seconds < 60) return "now";
  for (const [limitSeconds, unitSeconds, suffix] of UNITS) {
    if (seconds < limitSeconds) return `${Math.floor(seconds / unitSeconds)}${suffix}`;
  }
  return DATE_FORMAT.format(new Date(iso));
}
