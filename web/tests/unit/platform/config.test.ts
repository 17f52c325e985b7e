import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { readEnvironment } from "@/lib/platform/config";

const SECRET = "s".repeat(32);

describe("the environment", () => {
  it("needs no setting in development", () => {
    assert.equal(readEnvironment({ NODE_ENV: "development" }).FEED_PERCENT, 100);
  });

  it("is closed in production: sessions need a secret, and the operator page a key", () => {
    const closed = { NODE_ENV: "production", SESSION_SECRET: SECRET } as const;

    assert.throws(() => readEnvironment({ NODE_ENV: "production" }), { message: /^SESSION_SECRET: .*set it$/ });
    assert.throws(() => readEnvironment({ ...closed, OPERATOR_PAGE: "on" }), { message: /^OPERATOR_KEY: .*set it$/ });
    assert.equal(readEnvironment(closed).OPERATOR_PAGE, undefined);
  });

  it("reads an empty variable as unset", () => {
    const { FEED_PERCENT, SESSION_SECRET } = readEnvironment({
      NODE_ENV: "test",
      FEED_PERCENT: "",
      SESSION_SECRET: "",
    });

    assert.deepEqual([FEED_PERCENT, SESSION_SECRET], [100, undefined]);
  });

  for (const [name, value, message] of [
    ["FEED_PERCENT", "abc", 'FEED_PERCENT: "abc" is invalid; set a number from 0 to 100'],
    ["FEED_PERCENT", "101", 'FEED_PERCENT: "101" is invalid; set a number from 0 to 100'],
    ["FEED_SHADOW", "yes", 'FEED_SHADOW: "yes" is invalid; set true or false'],
    ["DEMO_USERS", "true", 'DEMO_USERS: "true" is invalid; set on or off'],
    ["EVENTS_PER_MINUTE", "10", 'EVENTS_PER_MINUTE: "10" is invalid; set a whole number from 200'],
    ["LOG_LEVEL", "loud", 'LOG_LEVEL: "loud" is invalid; set debug, info, warning, error or silent'],
    [
      "DATABASE_URL",
      "mysql://a:secret@b",
      "DATABASE_URL: the value is invalid; set a URL that begins with postgresql://",
    ],
    [
      "SESSION_SECRET",
      `${SECRET},short`,
      "SESSION_SECRET: the value is invalid; set at least 32 characters for each secret",
    ],
  ] as const) {
    it(`with ${name}=${value} is rejected in one line that shows no secret`, () => {
      assert.throws(() => readEnvironment({ NODE_ENV: "test", [name]: value }), { name: "InvalidSetting", message });
    });
  }
});
