/** What the settings say when the service refuses the key of the application. */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { NextRequest } from "next/server";
import { describe, it } from "vitest";
import { GET as getExport } from "@/app/api/settings/export/route";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { sessionCookie } from "@/tests/support/session";

describe("the export of the user's data", () => {
  const service = new FakeFeedService();

  useFeedService(service);

  for (const [status, code, result] of [
    [403, "missing_scope", "not_allowed"],
    [401, "unauthorized", "not_allowed"],
    [503, "overloaded", "unavailable"],
  ] as const) {
    it(`leads to the settings with "${result}" if the service responds with ${status}`, async () => {
      service.behaviour = { kind: "status", status, code };
      const headers = { cookie: await sessionCookie("ann") };

      const response = await getExport(new NextRequest("http://feed.example/api/settings/export", { headers }));

      assert.equal(response.status, 303);
      assert.equal(response.headers.get("location"), `/settings?form=export&result=${result}#result`);
    });
  }
});
