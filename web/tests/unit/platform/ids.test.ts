import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isId, postUuid, userUuid } from "@/lib/platform/ids";

describe("ids", () => {
  it("give the UUIDs that the service derives from the same text", () => {
    // uuid5(NAMESPACE_URL, "user:test-user") and uuid5(NAMESPACE_URL, "post:grüße"), by Python's uuid module
    assert.equal(userUuid("test-user"), "d58fb0b3-30af-519d-a8d2-d17882f1fe2b");
    assert.equal(postUuid("grüße"), "4ed06b4f-1bfa-5be2-9238-b489e64da3c7");
  });

  it("stand for themselves where they are UUIDs", () => {
    assert.equal(userUuid("6BA7B811-9DAD-11D1-80B4-00C04FD430C8"), "6ba7b811-9dad-11d1-80b4-00c04fd430c8");
  });

  it("are 1 to 128 printable characters", () => {
    const verdicts = ["a", "x".repeat(128), "grüße 🌊", "", "x".repeat(129), "a\u0000b", "a\nb", "\ud800"].map(isId);

    assert.deepEqual(verdicts, [true, true, true, false, false, false, false, false]);
  });
});
