"use client";

import { useState } from "react";
import { ThemeIcon } from "./icons";

export type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };
const LABEL: Record<Theme, string> = { auto: "as the system", dark: "dark", light: "light" };

/** Light, dark, or as the system has it; a cookie remembers, so that the server's page has the right colours. */
export function ThemeToggle({ theme }: { theme: Theme }) {
  const [current, setCurrent] = useState(theme);
  const turn = () => {
    const next = NEXT[current];
    setCurrent(next);
    document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
  };
  return (
    <button
      type="button"
      className="rail-link"
      onClick={turn}
      aria-label={`Colours: ${LABEL[current]}`}
      title={`Colours: ${LABEL[current]}`}
    >
      <ThemeIcon />
    </button>
  );
}
