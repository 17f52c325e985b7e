"use client";

import { type FormEvent, useState } from "react";
import { useEvents } from "../events-provider";
import { SettingsForm, type SettingsFormProps } from "./settings-form";

/** A form that removes what the user did. Pending events are sent before, so that none is stored afterwards. */
export function FinalForm(props: SettingsFormProps) {
  const { endSession } = useEvents();
  const [sending, setSending] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (sending) return;
    setSending(true);
    const form = event.currentTarget;
    await endSession();
    form.submit();
  };
  return <SettingsForm onSubmit={(event) => void submit(event)} aria-busy={sending} {...props} />;
}
