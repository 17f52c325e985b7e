import { accessSync, constants } from "node:fs";
import path from "node:path";
import { type Browser, chromium } from "@playwright/test";

const EXECUTABLES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of Chromium, from the variable CHROMIUM or from the PATH; null if there is none. */
export function findChromium(): string | null {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const candidates = [
    process.env["CHROMIUM"] ?? "",
    ...EXECUTABLES.flatMap((name) => folders.map((folder) => path.join(folder, name))),
  ];
  return candidates.find((file) => file !== "" && isExecutable(file)) ?? null;
}

export async function openBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("PATH: no Chromium; install it or set CHROMIUM to its path");
  // Chromium does not start as root with its sandbox.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
