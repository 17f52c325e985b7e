"use client";

import { type FormEvent, type KeyboardEvent, useId, useState } from "react";
import { lengthOf, MAX_TEXT_LENGTH } from "@/lib/feed/text-length";
import { Button } from "../ui/button";
import { cn } from "../ui/cn";
import { TextArea } from "../ui/text-field";

interface WritingFormProps {
  label: string;
  placeholder: string;
  submitLabel: string;
  rows?: number;
  /** Whether the field has the focus at first: on a page that is there for writing. */
  autoFocus?: boolean;
  onSubmit: (text: string) => void;
}

/** A field for the text of a post, with the number of its characters. It is empty again after it was submitted. */
export function WritingForm({ label, placeholder, submitLabel, rows = 1, autoFocus, onSubmit }: WritingFormProps) {
  const [text, setText] = useState("");
  const ids = { field: useId(), length: useId(), error: useId() };
  const excess = lengthOf(text.trim()) - MAX_TEXT_LENGTH;
  const isValid = text.trim() !== "" && excess <= 0;

  const submit = (event: FormEvent | KeyboardEvent) => {
    event.preventDefault();
    if (!isValid) return;
    onSubmit(text.trim());
    setText("");
  };

  return (
    <form onSubmit={submit} className="grid gap-2">
      <label htmlFor={ids.field} className="sr-only">
        {label}
      </label>
      <TextArea
        id={ids.field}
        dir="auto"
        rows={rows}
        value={text}
        placeholder={placeholder}
        autoFocus={autoFocus}
        aria-invalid={excess > 0}
        aria-describedby={excess > 0 ? ids.error : ids.length}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit(event)}
      />
      <div className="flex flex-wrap items-center justify-end gap-x-3 gap-y-2 text-sm text-soft">
        <p id={ids.error} role="alert" className="mr-auto text-bad">
          {excess > 0 && `${excess} ${excess === 1 ? "character" : "characters"} too many`}
        </p>
        <span id={ids.length} className={cn("tabular-nums", excess > 0 && "text-bad")}>
          {lengthOf(text.trim())}
          <span aria-hidden="true">/</span>
          <span className="sr-only"> of </span>
          {MAX_TEXT_LENGTH}
          <span className="sr-only"> characters</span>
        </span>
        <Button type="submit" variant="primary" size="small" disabled={!isValid}>
          {submitLabel}
        </Button>
      </div>
    </form>
  );
}
