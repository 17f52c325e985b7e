import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isId, isRequestId, postUuid, userUuid } from "@/lib/platform/ids";

describe("ids", () => {
  it("become the UUIDs that the service derives from the same text", () => {
    // uuid5(NAMESPACE_URL, "user:test-user") and uuid5(NAMESPACE_URL, "post:grüße"), computed with Python's uuid module
    assert.equal(userUuid("test-user"), "d58fb0b3-30af-519d-a8d2-d17882f1fe2b");
    assert.equal(postUuid("grüße"), "4ed06b4f-1bfa-5be2-9238-b489e64da3c7");
  });

  it("are used unchanged if they are UUIDs, in lower case", () => {
    assert.equal(userUuid("6BA7B811-9DAD-11D1-80B4-00C04FD430C8"), "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
  });

  it("of requests are 1 to 128 letters, digits and marks", () => {
    assert.deepEqual(["r-1", "5f0c.a:b_c", "", "a b", "ü", "x".repeat(129)].map(isRequestId), [
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it("are 1 to 128 printable characters", () => {
    const results = ["a", "x".repeat(128), "grüße 🌊", "", "x".repeat(129), "a\u0000b", "a\nb", "\ud800"].map(isId);

    assert.deepEqual(results, [true, true, true, false, false, false, false, false]);
  });
});
