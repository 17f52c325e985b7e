"use client";

import { X } from "lucide-react";
import * as RadixDialog from "radix-ui/dialog";
import type { ReactNode } from "react";
import { IconButton } from "./icon-button";

interface DialogContentProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
}

/** The open dialog. */
export function DialogContent({ title, onClose, children }: DialogContentProps) {
  allowStyles();
  return (
    <RadixDialog.Root open onOpenChange={(open) => open || onClose()}>
      <RadixDialog.Portal>
        <RadixDialog.Overlay className="fixed inset-0 z-40 bg-black/45" />
        <RadixDialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-0 bottom-0 z-50 max-h-[90dvh] overflow-auto rounded-t-card border border-line bg-raised p-5 shadow-overlay outline-none md:inset-x-auto md:top-1/2 md:bottom-auto md:left-1/2 md:w-120 md:-translate-1/2 md:rounded-card"
        >
          <header className="-mt-1.5 -mr-2 mb-2 flex items-center justify-between gap-4">
            <RadixDialog.Title className="text-lg font-bold">{title}</RadixDialog.Title>
            <RadixDialog.Close asChild>
              <IconButton label="Close">
                <X size={20} />
              </IconButton>
            </RadixDialog.Close>
          </header>
          {children}
        </RadixDialog.Content>
      </RadixDialog.Portal>
    </RadixDialog.Root>
  );
}

/** While the dialog is open, Radix adds a style element that stops the page from scrolling. The policy needs the nonce. */
function allowStyles(): void {
  const script = document.querySelector<HTMLScriptElement>("script[nonce]");
  (globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ ??= script?.nonce;
}
