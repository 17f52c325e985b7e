const REFRESH_AT_PX = 110;
/** The indicator follows the finger at this share of its way. */
const RESISTANCE = 0.4;
const INDICATOR =
  "fixed inset-x-0 -top-10 z-30 mx-auto grid size-10 place-items-center rounded-full bg-raised text-lg text-soft shadow-overlay data-[ready=true]:bg-ink data-[ready=true]:text-paper";

/** Follows a finger that was put down at the top of the page. Calls `onRefresh` if it is lifted after a long pull. */
export function followPull(startPx: number, onRefresh: () => void): void {
  const indicator = document.createElement("div");
  indicator.className = INDICATOR;
  indicator.textContent = "↻";
  indicator.setAttribute("aria-hidden", "true"); // the button "Load a new list" does the same
  let pulledPx = 0;
  const watching = new AbortController();
  const stop = () => {
    watching.abort();
    indicator.remove();
  };
  const options = { signal: watching.signal, passive: true };
  addEventListener(
    "touchmove",
    ({ touches: [finger] }) => {
      pulledPx = scrollY > 0 || !finger ? 0 : Math.max(0, finger.clientY - startPx);
      if (pulledPx > 0) document.body.append(indicator);
      else indicator.remove();
      indicator.style.transform = `translateY(${Math.min(pulledPx, REFRESH_AT_PX * 1.3) * RESISTANCE + 8}px)`;
      indicator.dataset["ready"] = String(pulledPx >= REFRESH_AT_PX);
    },
    options,
  );
  addEventListener("touchcancel", stop, options);
  addEventListener(
    "touchend",
    () => {
      stop();
      if (pulledPx >= REFRESH_AT_PX) onRefresh();
    },
    options,
  );
}
