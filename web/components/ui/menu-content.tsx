"use client";

import * as DropdownMenu from "radix-ui/dropdown-menu";
import { type Ref, type RefObject, useImperativeHandle } from "react";
import { cn } from "./cn";
import type { MenuEntry } from "./menu-entry";
import { useFocusReturn } from "./use-focus-return";

interface MenuContentProps {
  label: string;
  entries: MenuEntry[];
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
}

const ITEM =
  "flex w-full cursor-pointer items-center gap-3 rounded-lg px-3 py-2.5 text-left wrap-anywhere outline-none data-highlighted:bg-sunken";

/** The open menu next to its button. */
export function MenuContent({ label, entries, anchor, onClose }: MenuContentProps) {
  const focusReturn = useFocusReturn(anchor);
  return (
    <DropdownMenu.Root open modal={false} onOpenChange={(open) => open || onClose()}>
      <DropdownMenu.Trigger asChild>
        <ExistingButton element={anchor} />
      </DropdownMenu.Trigger>
      {/* All content is in a landmark. */}
      <DropdownMenu.Portal container={document.getElementById("main")}>
        <DropdownMenu.Content
          aria-label={label}
          aria-labelledby={undefined}
          align="end"
          sideOffset={4}
          collisionPadding={8}
          loop
          className="z-40 max-h-(--radix-dropdown-menu-content-available-height) w-60 max-w-[calc(100vw-1rem)] overflow-auto rounded-card border border-line bg-raised p-1.5 shadow-overlay"
          onFocus={({ target, currentTarget }) => {
            // Radix focuses the first entry only if it saw the key that opened the menu.
            if (target !== currentTarget) return;
            currentTarget.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
          }}
          {...focusReturn}
        >
          {entries.map(({ label: name, icon: Icon, href, onSelect, danger }) => {
            const content = (
              <>
                {Icon && <Icon size={18} />}
                <span className="min-w-0">{name}</span>
              </>
            );
            return (
              <DropdownMenu.Item
                key={name}
                className={cn(ITEM, danger && "text-bad")}
                onSelect={onSelect}
                asChild={href !== undefined}
              >
                {href === undefined ? content : <a href={href}>{content}</a>}
              </DropdownMenu.Item>
            );
          })}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

/** Makes a button that is already in the document the trigger of the menu: Radix is loaded after it was clicked. */
function ExistingButton({ element, ref }: { element: RefObject<HTMLElement | null>; ref?: Ref<HTMLElement | null> }) {
  useImperativeHandle<HTMLElement | null, HTMLElement | null>(ref, () => element.current, [element]);
  return null;
}
