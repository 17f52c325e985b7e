"use client";

import * as RadixSwitch from "radix-ui/switch";
import type { ComponentProps } from "react";
import { cn } from "./cn";

/** A setting that is on or off. A label element, or `aria-label`, says which. */
export function Switch({ className, ...props }: ComponentProps<typeof RadixSwitch.Root>) {
  return (
    <RadixSwitch.Root
      className={cn(
        "relative h-7 w-12 shrink-0 rounded-full border border-line bg-sunken transition-colors data-[state=checked]:border-transparent data-[state=checked]:bg-good",
        className,
      )}
      {...props}
    >
      <RadixSwitch.Thumb className="block size-5 translate-x-0.5 rounded-full bg-soft transition-transform data-[state=checked]:translate-x-6 data-[state=checked]:bg-raised" />
    </RadixSwitch.Root>
  );
}
