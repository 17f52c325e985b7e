const GAP_PX = 8;

/** Moves an open popover below its button, or above it if there is not enough space, and keeps it on the screen. */
export function placeBelow(popover: HTMLElement, button: HTMLElement | null): void {
  if (!button) return;
  const anchor = button.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const left = Math.min(Math.max(GAP_PX, anchor.left), innerWidth - width - GAP_PX);
  const below = anchor.bottom + GAP_PX;
  const fits = below + height <= innerHeight - GAP_PX;
  const top = fits ? below : Math.max(GAP_PX, anchor.top - GAP_PX - height);
  popover.style.left = `${Math.max(GAP_PX, left)}px`;
  popover.style.top = `${top}px`;
}
