import type { NextRequest } from "next/server";
import { problem } from "./problem";
import { isSameOrigin, sessionUserId } from "./session";

export interface UserRequestRules<Body> {
  /** Checks the parsed JSON. Throws SyntaxError if it is invalid. */
  parse: (json: unknown) => Body;
  /** The `code` of the response to an invalid body. */
  invalidCode: string;
  /** The largest length of the body in characters. */
  maxLength: number;
}

/**
 * Reads a request that changes data of the session's user. Returns a problem response if the session has no user, the
 * request comes from another site, the body is invalid, or its `user` is not the user of the session.
 */
export async function readUserRequest<Body extends { user: unknown }>(
  request: NextRequest,
  { parse, invalidCode, maxLength }: UserRequestRules<Body>,
): Promise<{ userId: string; body: Body } | Response> {
  const userId = sessionUserId(request);
  if (userId === null) return problem(400, "no_user", "the session has no user; load the feed page first");
  if (!isSameOrigin(request)) {
    return problem(403, "foreign_origin", "Origin: not this site; send the request from its own pages");
  }
  try {
    const text = await request.text();
    if (text.length > maxLength) {
      return problem(413, "too_large", `body: more than ${maxLength} characters; send less at once`);
    }
    const body = parse(JSON.parse(text));
    // Another tab has switched users. The browser keeps unsent events until their user returns.
    if (body.user !== undefined && body.user !== userId) {
      return problem(409, "other_user", "user: not the user of the session; reload the page");
    }
    return { userId, body };
  } catch (error) {
    if (error instanceof SyntaxError) return problem(400, invalidCode, error.message);
    throw error;
  }
}
