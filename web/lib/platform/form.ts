import { z } from "zod";

/** The fields of an HTML form (`application/x-www-form-urlencoded`). A name that occurs several times has a list. */
export function parseForm(text: string): Record<string, string | string[]> {
  const fields = new URLSearchParams(text);
  return Object.fromEntries(
    [...new Set(fields.keys())].map((name) => {
      const values = fields.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? "") : values];
    }),
  );
}

/** A checkbox: a browser sends it only if it is checked. */
export const checkbox = z
  .literal("on", "must be on or absent")
  .optional()
  .transform((value) => value !== undefined);

/** Checkboxes with one name: the values of those that are checked, each once. */
export function checkboxes<Value>(value: z.ZodType<Value, string>, max: number) {
  return z
    .preprocess(
      (given) => (given === undefined ? [] : [given].flat()),
      z.array(value).max(max, `must have at most ${max} values`),
    )
    .transform((values) => [...new Set(values)]);
}
