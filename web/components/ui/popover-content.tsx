"use client";

import * as RadixPopover from "radix-ui/popover";
import type { ReactNode, RefObject } from "react";
import { cn } from "./cn";
import { useFocusReturn } from "./use-focus-return";

interface PopoverContentProps {
  label: string;
  className?: string;
  /** Which edge of the button the popover is aligned with. */
  align?: "start" | "end";
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
  children: ReactNode;
}

/** The open popover next to its button. */
export function PopoverContent({ label, className, align = "end", anchor, onClose, children }: PopoverContentProps) {
  const focusReturn = useFocusReturn(anchor);
  return (
    <RadixPopover.Root open onOpenChange={(open) => open || onClose()}>
      <RadixPopover.Anchor virtualRef={anchor as RefObject<HTMLElement>} />
      <RadixPopover.Portal>
        <RadixPopover.Content
          aria-label={label}
          align={align}
          sideOffset={6}
          collisionPadding={8}
          className={cn(
            "z-40 max-h-[min(30rem,var(--radix-popover-content-available-height))] w-86 max-w-[calc(100vw-1rem)] overflow-auto rounded-card border border-line bg-raised p-4 shadow-overlay outline-none",
            className,
          )}
          {...focusReturn}
        >
          {children}
        </RadixPopover.Content>
      </RadixPopover.Portal>
    </RadixPopover.Root>
  );
}
