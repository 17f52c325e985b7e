/** `GET /api/health`: 200 while the web server runs, even if the database or the service is unavailable. */
export function GET(): Response {
  return Response.json({ status: "healthy" });
}
