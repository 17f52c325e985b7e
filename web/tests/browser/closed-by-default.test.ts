/** The built application: what ends its start, and who gets in. Needs no browser. */
import assert from "node:assert/strict";
import { test } from "@playwright/test";
import { OPERATOR_KEY, sessionCookie, sessionUser } from "@/tests/support/session";
import { WebServer } from "@/tests/support/web-server";

test.describe("the built application", () => {
  let web: WebServer;

  test.beforeAll(async () => {
    web = await WebServer.start({ DATABASE_URL: "", ML_SERVICE_URL: "http://127.0.0.1:9" });
  });
  test.afterAll(() => web?.stop());
  const open = (path: string, headers: Record<string, string> = {}) => fetch(web.url + path, { headers });

  for (const [name, value, line] of [
    ["FEED_PERCENT", "abc", 'FEED_PERCENT: "abc" is invalid; set a number from 0 to 100'],
    ["SESSION_SECRET", "", "SESSION_SECRET: signs the sessions in production; set it"],
  ] as const) {
    test(`does not start with ${name}=${value}, and says so in one line`, async () => {
      await assert.rejects(WebServer.start({ [name]: value }), (error: Error) => {
        assert.ok(
          error.message.split("\n").some((one) => one.endsWith(line)),
          error.message,
        );
        assert.doesNotMatch(error.message, /^ +at /m);
        return true;
      });
    });
  }

  test("answers a call with a forged session with 401, and a page with a new session", async () => {
    process.env["SESSION_SECRET"] = "another secret than the one of the server";
    const cookie = await sessionCookie("user-1");
    delete process.env["SESSION_SECRET"];

    const [call, page] = [await open("/api/feeds", { cookie }), await open("/", { cookie })];
    const header = page.headers.get("set-cookie") ?? "";
    const [pair = ""] = header.split(";");
    const [name = "", value = ""] = pair.split("=", 2);

    assert.equal(call.status, 401);
    assert.match(header, /Secure; HttpOnly/);
    assert.match(await sessionUser([{ name, value }]), /^[0-9a-f-]{36}$/);
  });

  test("rejects a path that is not UTF-8, and has pages for all others", async () => {
    const paths = ["/user/%FF", "/tag/%", "/post/%C3", "/api/posts/%FF", "/user/%C3%A9"];

    assert.deepEqual(
      await Promise.all(paths.map(async (path) => (await open(path)).status)),
      [400, 400, 400, 400, 200],
    );
  });

  test("has a nonce in the policy of a page, and on each of its scripts", async () => {
    const page = await open("/");
    const nonce = /'nonce-([^']+)'/.exec(page.headers.get("content-security-policy") ?? "")?.[1] ?? "";
    const scripts = [...(await page.text()).matchAll(/<script\b[^>]*>/g)].map(([tag]) => tag);

    assert.ok(scripts.length > 0);
    assert.deepEqual(
      scripts.filter((tag) => !tag.includes(`nonce="${nonce}"`)),
      [],
    );
  });

  test("keeps the operator page and the metrics closed without their keys", async () => {
    const basic = `Basic ${Buffer.from(`any:${OPERATOR_KEY}`).toString("base64")}`;

    const statuses = await Promise.all(
      [open("/operator"), open("/operator", { authorization: basic }), open("/api/metrics")].map(
        async (response) => (await response).status,
      ),
    );

    assert.deepEqual(statuses, [401, 200, 404]);
  });
});
