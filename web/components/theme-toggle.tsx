"use client";

import { Contrast } from "lucide-react";
import { useState } from "react";
import { NAVIGATION_ITEM, NavigationLabel } from "./navigation-item";

export type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };
const LABEL: Record<Theme, string> = { auto: "system", dark: "dark", light: "light" };

/** Switches between light, dark and the system's setting. A cookie stores it, so that the server renders the theme. */
export function ThemeToggle({ theme }: { theme: Theme }) {
  const [current, setCurrent] = useState(theme);
  const switchTheme = () => {
    const next = NEXT[current];
    setCurrent(next);
    document.documentElement.dataset.theme = next;
    // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
  };
  return (
    <button type="button" className={NAVIGATION_ITEM} onClick={switchTheme} title={`Colours: ${LABEL[current]}`}>
      <Contrast />
      <NavigationLabel>{`Colours: ${LABEL[current]}`}</NavigationLabel>
    </button>
  );
}
