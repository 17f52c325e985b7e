/** The web server itself; what it depends on may be away without harm to its readiness. */
export function GET(): Response {
  return Response.json({ status: "healthy" });
}
