import { cn } from "./cn";

/** A short message above the lower edge of the screen; nothing for an empty text. Screen readers announce it. */
export function Toast({ text }: { text: string }) {
  return (
    <div
      role="status"
      className={cn(
        "pointer-events-none fixed bottom-[calc(4.75rem+env(safe-area-inset-bottom))] left-1/2 z-50 w-max max-w-[calc(100vw-2rem)] -translate-x-1/2 rounded-full bg-ink px-4.5 py-2.5 text-md wrap-anywhere text-paper transition md:bottom-7",
        text === "" ? "translate-y-4 opacity-0" : "opacity-100",
      )}
    >
      {text}
    </div>
  );
}
