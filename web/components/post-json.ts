const SEND_TIMEOUT_MS = 5000;
const RETRY_DELAYS_MS = [500, 1500];

/**
 * Sends JSON to a route of the application whose calls are idempotent. Failed calls and calls with a status from 500
 * are repeated twice. Throws if the last one fails.
 */
export async function postJson(path: string, body: unknown): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const status = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      keepalive: true, // completes even if the page is closed
      signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
    }).then(
      (response) => response.status,
      () => null,
    );
    if (status !== null && status < 400) return;
    const delayMs = RETRY_DELAYS_MS[attempt];
    if ((status !== null && status < 500) || delayMs === undefined) {
      throw new Error(`POST ${path}: ${status === null ? "no response" : `status ${status}`}`);
    }
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}
