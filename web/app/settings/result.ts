import type { FeedServiceError } from "@feed/client";

/** The forms of the settings, by their name in `POST /api/settings/NAME`. */
export const FORM_NAMES = [
  "reading",
  "personalisation",
  "controls",
  "interests",
  "welcome",
  "reset",
  "deletion",
] as const;
export type FormName = (typeof FORM_NAMES)[number];

/** What became of a form, or of the export of the user's data. */
export type Result =
  | "saved"
  | "unavailable"
  | "invalid"
  | "too_many"
  | "other_user"
  | "no_session"
  | "not_allowed"
  | "managed_elsewhere";

/** What the page says after each result that is not `saved`. Nothing was changed. */
export const FAILURES: Record<Exclude<Result, "saved">, string> = {
  unavailable: "This could not be saved, because the service is not available at the moment. Please try again.",
  invalid: "This could not be saved. Please check what you entered.",
  too_many: "Too many changes in a short time. Please try again in a minute.",
  other_user: "Nothing was changed, because another user has signed in since. These are the settings of the new user.",
  no_session: "Nothing was changed, because your session had ended. Please try again.",
  not_allowed: "This could not be saved: the operator of this site has not allowed it to change settings.",
  managed_elsewhere: "This could not be saved: it is managed elsewhere.",
};

/** Why the service did not do what a form asks for. */
export function resultOf(error: FeedServiceError): Exclude<Result, "saved"> {
  if (error.transient) return "unavailable";
  if (error.status === 401 || error.status === 403) return "not_allowed";
  return error.code === "managed_elsewhere" ? "managed_elsewhere" : "invalid";
}

/** The path of a page that shows the result of a form in its element `#result`. `fields` are those that the user need not enter again. */
export function resultPath(
  page: string,
  form: FormName | "export",
  result: Result,
  fields: Readonly<Record<string, string | readonly string[]>> = {},
): string {
  const query = new URLSearchParams({ form, result });
  for (const [name, values] of Object.entries(fields)) {
    for (const value of [values].flat()) query.append(name, value);
  }
  return `${page}?${query}#result`;
}
