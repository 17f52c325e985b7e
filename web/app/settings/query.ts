import { FAILURES, FORM_NAMES, type FormName, type Result } from "./result";

/** The query of `/settings` and `/welcome`, which has the result of a form and, after a failure, its fields. */
export type SettingsQuery = Record<string, string | string[] | undefined>;

export interface Outcome {
  form: FormName | "export";
  result: Result;
}

/** The form that led to the page, and what became of it; null if there is none. */
export function readOutcome(query: SettingsQuery): Outcome | null {
  const form = [...FORM_NAMES, "export" as const].find((name) => name === query["form"]);
  const result = fieldValue(query, "result");
  const isResult = result === "saved" || (result !== null && Object.hasOwn(FAILURES, result));
  return form && isResult ? { form, result: result as Result } : null;
}

/** Whether the page has the fields of a form that could not be saved. */
export function isUnsaved(query: SettingsQuery, form: FormName): boolean {
  const outcome = readOutcome(query);
  return outcome?.form === form && outcome.result !== "saved";
}

/** The field that occurs once; null otherwise. */
export function fieldValue(query: SettingsQuery, name: string): string | null {
  const value = query[name];
  return typeof value === "string" ? value : null;
}

/** All values of a field. */
export function fieldValues(query: SettingsQuery, name: string): string[] {
  return [query[name] ?? []].flat();
}
