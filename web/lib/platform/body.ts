import { z } from "zod";
import { isId, isUuid } from "./ids";

/** A UUID in the body of a request. */
export const uuid = z.string("must be a UUID").refine(isUuid, "must be a UUID");

/** An id that the service accepts; `name` says of what. */
export function idOf(name: string) {
  const rule = `must be the id of ${name}`;
  return z.string(rule).refine(isId, rule);
}

/** Checks the parsed JSON of a body. Throws SyntaxError with the place of the first error and its rule. */
export function parseBody<Body>(schema: z.ZodType<Body>, json: unknown): Body {
  const { data, error } = schema.safeParse(json);
  if (!error) return data;
  const [issue] = error.issues;
  const place = z.core.toDotPath(issue?.path ?? []);
  throw new SyntaxError(`${place || "body"} ${issue?.message}`);
}
