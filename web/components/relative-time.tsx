"use client";

import { useEffect, useState, useSyncExternalStore } from "react";

const UNITS: [limitSeconds: number, unitSeconds: number, suffix: string][] = [
  [3600, 60, "m"],
  [86_400, 3600, "h"],
  [604_800, 86_400, "d"],
];
const DATE: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", year: "numeric" };
const FULL: Intl.DateTimeFormatOptions = { ...DATE, hour: "numeric", minute: "2-digit", timeZoneName: "short" };
const SERVER_ZONE = "UTC";
const noChanges = () => () => undefined;
const readersZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
const serverZone = () => SERVER_ZONE;

/** The age of a time, such as "3h", with the full time in the reader's time zone on hover. */
export function RelativeTime({ iso }: { iso: string }) {
  const timeZone = useSyncExternalStore(noChanges, readersZone, serverZone);
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  // The age may differ from that in the HTML. A text of another width would move the links next to it.
  return (
    <time suppressHydrationWarning dateTime={iso} title={format(iso, FULL, timeZone)}>
      {ageOf(iso, nowMs, timeZone)}
    </time>
  );
}

/** The age of a time: "now", minutes, hours or days, and the date after a week. */
export function ageOf(iso: string, nowMs: number, timeZone: string = SERVER_ZONE): string {
  const seconds = Math.max(0, (nowMs - Date.parse(iso)) / 1000);
  if (seconds < 60) return "now";
  for (const [limitSeconds, unitSeconds, suffix] of UNITS) {
    if (seconds < limitSeconds) return `${Math.floor(seconds / unitSeconds)}${suffix}`;
  }
  return format(iso, DATE, timeZone);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Formats a time. Making a format takes longer than using it, so each one is kept. */
function format(iso: string, options: Intl.DateTimeFormatOptions, timeZone: string): string {
  const key = `${timeZone} ${options.timeZoneName}`;
  const kept = formats.get(key) ?? new Intl.DateTimeFormat("en", { ...options, timeZone });
  formats.set(key, kept);
  return kept.format(new Date(iso));
}
