"use client";

import * as RadixToggleGroup from "radix-ui/toggle-group";

interface ToggleGroupProps {
  label: string;
  options: { value: string; label: string }[];
  value: string[];
  onChange: (value: string[]) => void;
}

/** Options of which any number is chosen, such as languages and interests. */
export function ToggleGroup({ label, options, value, onChange }: ToggleGroupProps) {
  return (
    <RadixToggleGroup.Root
      type="multiple"
      aria-label={label}
      value={value}
      onValueChange={onChange}
      className="flex flex-wrap gap-2"
    >
      {options.map((option) => (
        <RadixToggleGroup.Item
          key={option.value}
          value={option.value}
          className="h-10 rounded-full border border-line bg-raised px-4 text-md font-medium hover:bg-sunken data-[state=on]:border-ink data-[state=on]:bg-ink data-[state=on]:text-paper"
        >
          {option.label}
        </RadixToggleGroup.Item>
      ))}
    </RadixToggleGroup.Root>
  );
}
