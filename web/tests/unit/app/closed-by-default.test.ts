/** Who gets in: sessions, keys and switches of the proxy and the routes. */
import assert from "node:assert/strict";
import { NextRequest } from "next/server";
import { afterEach, beforeEach, describe, it } from "vitest";
import { GET as getMetrics } from "@/app/api/metrics/route";
import { POST as postSession } from "@/app/api/session/route";
import { GET as getUsers } from "@/app/api/users/route";
import { currentUser } from "@/lib/platform/session";
import { SESSION_COOKIE, signSession, verifySession } from "@/lib/platform/session-cookie";
import { secondsUntilAllowed } from "@/lib/platform/write-limit";
import { proxy } from "@/proxy";
import { sessionCookie } from "@/tests/support/session";

const PRODUCTION = { NODE_ENV: "production", SESSION_SECRET: "a".repeat(32) };

describe("who gets in", () => {
  const before = { ...process.env };

  afterEach(() => {
    for (const name of ["NODE_ENV", "SESSION_SECRET", "METRICS_KEY", "OPERATOR_PAGE", "OPERATOR_KEY", "DEMO_USERS"]) {
      delete process.env[name];
    }
    Object.assign(process.env, before);
  });
  const set = (variables: Record<string, string>) => Object.assign(process.env, variables);
  const open = (path: string, headers: Record<string, string> = {}) =>
    proxy(new NextRequest(`http://feed.example${path}`, { headers }));
  const withKey = (scheme: string, credentials: string) => ({ authorization: `${scheme} ${credentials}` });

  describe("a session", () => {
    it("is signed, Secure and HttpOnly in production", async () => {
      set(PRODUCTION);
      const response = await open("/");

      const header = response.headers.get("set-cookie") ?? "";
      for (const attribute of ["Secure", "HttpOnly", "SameSite=lax", "Path=/"]) assert.match(header, RegExp(attribute));
      assert.ok(await verifySession(response.cookies.get(SESSION_COOKIE)?.value));
    });

    it("of a known visitor stays", async () => {
      assert.equal((await open("/", { cookie: await sessionCookie("ann") })).headers.get("set-cookie"), null);
    });

    it("with the signature of another secret has no user, and the next page starts a new session", async () => {
      set({ SESSION_SECRET: "b".repeat(32) });
      const forged = await sessionCookie("ann");
      set({ SESSION_SECRET: "a".repeat(32) });

      const user = await currentUser(new NextRequest("http://feed.example/", { headers: { cookie: forged } }));
      const response = await open("/", { cookie: forged });

      assert.equal(user, null);
      const visitor = await verifySession(response.cookies.get(SESSION_COOKIE)?.value);
      assert.match(visitor?.userId ?? "", /^[0-9a-f-]{36}$/);
      // The page of this request sees the new session, not the forged one.
      assert.equal(response.headers.get("x-middleware-request-cookie")?.includes(forged), false);
    });

    it("without a signature has no user", async () => {
      const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");

      assert.equal(await verifySession(`${encode({ alg: "none" })}.${encode({ sub: "ann" })}.`), null);
      assert.equal(await verifySession("ann"), null);
    });

    it("stays valid while its secret is replaced", async () => {
      const [old, next] = ["a".repeat(32), "b".repeat(32)];
      set({ SESSION_SECRET: old });
      const { value } = await signSession("ann");
      set({ SESSION_SECRET: `${next},${old}` });

      assert.equal((await verifySession(value))?.userId, "ann");
    });
  });

  describe("a page", () => {
    it("or a route with a path that is not UTF-8 is rejected", async () => {
      for (const path of ["/user/%FF", "/api/posts/%"]) assert.equal((await open(path)).status, 400, path);
    });

    it("allows scripts with the nonce of its response only", async () => {
      set(PRODUCTION);
      const policies = (await Promise.all([open("/"), open("/")])).map(({ headers }) =>
        headers.get("content-security-policy"),
      );

      assert.notEqual(policies[0], policies[1]);
      assert.match(policies[0] ?? "", /script-src 'self' 'nonce-[\w+/=]{20,}' 'strict-dynamic';/);
      assert.doesNotMatch(policies[0] ?? "", /script-src[^;]*unsafe/);
    });
  });

  describe("the operator page", () => {
    beforeEach(() => set({ OPERATOR_PAGE: "on", OPERATOR_KEY: "operator-key" }));
    const password = (text: string) => withKey("Basic", Buffer.from(`any:${text}`).toString("base64"));

    it("asks for its key, and no other page does", async () => {
      const statuses = await Promise.all(
        [
          open("/operator"),
          open("/operator", password("wrong")),
          open("/operator/models"),
          open("/operator/user?user=ann", password("wrong")),
          open("/operator/user?user=ann", password("operator-key")),
          open("/"),
        ].map(async (response) => (await response).status),
      );

      assert.deepEqual(statuses, [401, 401, 401, 401, 200, 200]);
    });
  });

  describe("the metrics", () => {
    const status = async (headers: Record<string, string> = {}) =>
      (await getMetrics(new Request("http://feed.example/api/metrics", { headers }))).status;

    it("are off in production, open in development, and need the key if there is one", async () => {
      const inDevelopment = await status();
      set(PRODUCTION);
      const inProduction = await status();
      set({ METRICS_KEY: "metrics-key" });

      assert.deepEqual([inDevelopment, inProduction], [200, 404]);
      assert.deepEqual(
        [await status(), await status(withKey("Bearer", "wrong")), await status(withKey("Bearer", "metrics-key"))],
        [401, 401, 200],
      );
    });
  });

  describe("the users of the demo", () => {
    it("are off in production unless they are asked for", async () => {
      set(PRODUCTION);
      const cookie = await sessionCookie("ann");
      const body = JSON.stringify({ user: "bob" });
      const request = () =>
        new NextRequest("http://feed.example/api/session", { method: "POST", body, headers: { cookie } });

      const closed = [await postSession(request()), await getUsers(new NextRequest("http://feed.example/api/users"))];
      set({ DEMO_USERS: "on" });
      const switched = await postSession(request());

      assert.deepEqual(
        closed.map(({ status }) => status),
        [404, 404],
      );
      assert.match(switched.headers.get("set-cookie") ?? "", /^feed_session=/);
    });
  });

  describe("a session that writes", () => {
    it("has a limit of its own", async () => {
      const allowed = await secondsUntilAllowed("busy", 600);
      const wait = await secondsUntilAllowed("busy", 1);

      assert.equal(allowed, 0);
      assert.ok(wait > 0 && wait <= 60, String(wait));
      assert.equal(await secondsUntilAllowed("another", 1), 0);
    });
  });
});
