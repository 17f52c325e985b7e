import path from "node:path";
import type { NextConfig } from "next";

const root = path.join(import.meta.dirname, "..");

const config: NextConfig = {
  // The container image needs a standalone build; `next start` needs the default one.
  output: process.env["NEXT_OUTPUT"] === "standalone" ? "standalone" : undefined,
  outputFileTracingRoot: root,
  turbopack: { root },
  poweredByHeader: false,
  reactStrictMode: true,
  devIndicators: false,
  allowedDevOrigins: ["127.0.0.1"],
  experimental: {
    // Larger chunks compress better, and modules leave out what nobody imports: the first page has a limit of script.
    turbopackChunking: { minChunkSize: 200_000 },
    turbopackCjsTreeShaking: true,
    turbopackCjsScopeHoisting: true,
    turbopackCrossModuleConstants: true,
  },
  async headers() {
    return [
      {
        source: "/:path*",
        headers: [
          { key: "X-Content-Type-Options", value: "nosniff" },
          { key: "X-Frame-Options", value: "DENY" },
          { key: "Referrer-Policy", value: "same-origin" },
        ],
      },
      {
        source: "/pictures/:path*",
        headers: [
          { key: "Content-Security-Policy", value: "default-src 'none'; style-src 'unsafe-inline'" },
          { key: "Cache-Control", value: "public, max-age=86400" },
        ],
      },
      {
        source: "/offline.html",
        headers: [{ key: "Content-Security-Policy", value: "default-src 'none'; style-src 'unsafe-inline'" }],
      },
      // The proxy sets the policy of pages.
      {
        source: "/api/:path*",
        headers: [{ key: "Content-Security-Policy", value: "default-src 'none'; frame-ancestors 'none'" }],
      },
    ];
  },
};

export default config;
