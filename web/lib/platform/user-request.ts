import type { NextRequest } from "next/server";
import type { z } from "zod";
import { parseBody } from "./body";
import { noSession, problem } from "./problem";
import { isSameOrigin } from "./same-origin";
import { currentUser } from "./session";
import { secondsUntilAllowed } from "./write-limit";

export interface UserRequestRules<Body> {
  schema: z.ZodType<Body>;
  /** The `code` of the response to an invalid body. */
  invalidCode: string;
  /** The largest length of the body in characters. */
  maxLength: number;
  /** Reads the text of the body. Throws SyntaxError. Default: JSON. */
  parse?: (text: string) => unknown;
  /** The number of writes that a body counts as, for the limit of the session. Default: 1. */
  writes?: (body: Body) => number;
}

/**
 * Reads a request that changes data of the session's user. Returns a problem response if there is no session, the
 * request comes from another site, the body is invalid, its `user` is not the user of the session, or the session has
 * sent too much.
 */
export async function readUserRequest<Body extends { user?: unknown }>(
  request: NextRequest,
  { schema, invalidCode, maxLength, parse = JSON.parse, writes = () => 1 }: UserRequestRules<Body>,
): Promise<{ userId: string; body: Body } | Response> {
  const user = await currentUser(request);
  if (user === null) return noSession();
  if (!isSameOrigin(request)) {
    return problem(403, "foreign_origin", "Origin: not this site; send the request from its own pages");
  }
  try {
    const text = await request.text();
    if (text.length > maxLength) {
      return problem(413, "too_large", `body: more than ${maxLength} characters; send less at once`);
    }
    const body = parseBody(schema, parse(text));
    // Another tab has switched users. The browser keeps unsent events until their user returns.
    if (body.user !== undefined && body.user !== user.id) {
      return problem(409, "other_user", "user: not the user of the session; reload the page");
    }
    const waitSeconds = await secondsUntilAllowed(user.id, writes(body));
    if (waitSeconds > 0) {
      return problem(429, "too_many_events", "the session has sent too many events; try again later", {
        "Retry-After": String(waitSeconds),
      });
    }
    return { userId: user.id, body };
  } catch (error) {
    if (error instanceof SyntaxError) return problem(400, invalidCode, error.message);
    throw error;
  }
}
