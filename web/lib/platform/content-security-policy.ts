import { config } from "./config";

/**
 * The Content Security Policy of a page: only our own files, and inline scripts and styles with this nonce. Attributes
 * `style` are allowed, because React renders them on the server. `next dev` evaluates code and connects by WebSocket.
 */
export function contentSecurityPolicy(nonce: string): string {
  const development = config.isProduction ? "" : " 'unsafe-eval'";
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${development}`,
    config.isProduction ? `style-src 'self' 'nonce-${nonce}'` : "style-src 'self' 'unsafe-inline'",
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${config.isProduction ? "" : " ws:"}`,
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}
