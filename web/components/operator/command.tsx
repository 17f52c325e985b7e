"use client";

import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { IconButton } from "@/components/ui/icon-button";

/** A command for a terminal, with a button that copies it. */
export function Command({ text, label }: { text: string; label: string }) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setIsCopied(true);
    } catch {
      setIsCopied(false); // the browser forbids access to the clipboard; the text can be selected
    }
  };
  return (
    <div className="flex items-center gap-2 rounded-card border border-line bg-sunken py-1 pr-1 pl-3.5">
      <code className="min-w-0 flex-1 py-1.5 text-sm wrap-anywhere select-all">{text}</code>
      <IconButton label={isCopied ? `Copied: ${label}` : `Copy: ${label}`} onClick={copy}>
        {isCopied ? <Check /> : <Copy />}
      </IconButton>
    </div>
  );
}
