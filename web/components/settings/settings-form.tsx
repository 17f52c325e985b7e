import type { ComponentProps } from "react";

export interface SettingsFormProps extends Omit<ComponentProps<"form">, "action" | "method"> {
  /** The name of the form in `POST /api/settings/NAME`. */
  name: string;
  /** The user whose settings the page shows. */
  user: string;
}

/** A form that works without scripts: the server stores it, and responds with the page that shows the result. */
export function SettingsForm({ name, user, children, ...props }: SettingsFormProps) {
  return (
    <form method="post" action={`/api/settings/${name}`} {...props}>
      <input type="hidden" name="user" value={user} />
      {children}
    </form>
  );
}
