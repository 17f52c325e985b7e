const GAP = 8;

/** Puts an open popover below its button, or above where there is more room, and inside the screen. */
export function placeBelow(popover: HTMLElement, button: HTMLElement | null): void {
  if (!button) return;
  const anchor = button.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const left = Math.min(Math.max(GAP, anchor.left), innerWidth - width - GAP);
  const below = anchor.bottom + GAP;
  const fits = below + height <= innerHeight - GAP;
  const top = fits ? below : Math.max(GAP, anchor.top - GAP - height);
  popover.style.left = `${Math.max(GAP, left)}px`;
  popover.style.top = `${top}px`;
}
