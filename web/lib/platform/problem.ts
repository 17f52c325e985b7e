/** An error response in the format of RFC 9457, with a stable `code`, like the service's own. */
export function problem(status: number, code: string, detail: string, headers: Record<string, string> = {}): Response {
  return Response.json(
    { type: "about:blank", title: TITLES[status] ?? "Error", status, code, detail },
    { status, headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", ...headers } },
  );
}

/** The response to a request without a user. */
export function noSession(): Response {
  return problem(401, "no_session", "the session is missing or invalid; load a page of this site first");
}

const TITLES: Record<number, string> = {
  400: "Bad request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not found",
  409: "Conflict",
  413: "Too large",
  422: "Unprocessable content",
  429: "Too many requests",
  503: "Service unavailable",
};
