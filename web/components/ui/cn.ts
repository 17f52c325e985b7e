/** Joins class names. It skips parts that are not text, so that a class can depend on a condition. */
export function cn(...parts: (string | false | null | undefined)[]): string {
  return parts.filter(Boolean).join(" ");
}
