import assert from "node:assert/strict";
import { type Feedback, FeedServiceError } from "@feed/client";
import { describe, it } from "vitest";
import { feedbackBody, isFinalRejection, retract, retractionBody, sendFeedback } from "@/lib/feed/feedback";
import { parseBody } from "@/lib/platform/body";

const POST = "11111111-1111-4111-8111-111111111111";
const EVENT = "22222222-2222-4222-8222-222222222222";
const HIDE = { action: "hide_post", post_id: POST, event_id: EVENT };
const MUTE = { action: "mute_author", author_id: "bob", event_id: EVENT };

describe("the body of POST /api/feedback", () => {
  it("is returned without unknown fields if it is valid", () => {
    const body = parseBody(feedbackBody, { ...HIDE, user: "ann", undo: true, user_id: "eve" });

    assert.deepEqual(body, { ...HIDE, user: "ann", undo: true });
  });

  it("sets the control if it does not say undo", () => {
    assert.deepEqual(parseBody(feedbackBody, MUTE), { ...MUTE, undo: false });
  });

  for (const [name, body, message] of [
    ["null", null, /^body must be an object/],
    ["no event_id", { ...HIDE, event_id: undefined }, /^event_id must be a UUID/],
    ["an unknown action", { ...HIDE, action: "hug" }, /^action must be one of hide_post/],
    ["no post", { ...HIDE, post_id: undefined }, /^post_id must be/],
    ["no author", { ...MUTE, author_id: 7 }, /^author_id must be/],
    [
      "an author for an action on a post",
      { ...HIDE, author_id: "bob" },
      /^author_id must be absent for an action on a post/,
    ],
    [
      "a post for an action on an author",
      { ...MUTE, post_id: POST },
      /^post_id must be absent for an action on an author/,
    ],
    ["no tag", { ...MUTE, action: "mute_tag" }, /^tag must be a word/],
    ["an undo that is not a boolean", { ...HIDE, undo: "yes" }, /^undo must be true or false/],
  ] as const) {
    it(`is rejected with ${name}, and the error names the field`, () => {
      assert.throws(() => parseBody(feedbackBody, body), { name: "SyntaxError", message });
    });
  }
});

describe("the body of POST /api/events/retract", () => {
  it("is returned if it is valid", () => {
    const body = { user: "ann", post_id: POST, interaction_type: "like" };

    assert.deepEqual(parseBody(retractionBody, body), body);
  });

  for (const [name, body, message] of [
    ["null", null, /^body must be an object/],
    ["no post", { interaction_type: "like" }, /^post_id must be/],
    ["an unknown type", { post_id: POST, interaction_type: "hug" }, /^interaction_type must be one of/],
  ] as const) {
    it(`is rejected with ${name}, and the error names the field`, () => {
      assert.throws(() => parseBody(retractionBody, body), { name: "SyntaxError", message });
    });
  }
});

describe("sending feedback", () => {
  const hide: Feedback = { user_id: "ann", action: "hide_post", post_id: POST };

  it("registers a visitor whom the service does not know, and repeats the call", async () => {
    const users = new Set<string>();
    const recorded: Feedback[] = [];
    const sink = {
      feedback: async (feedback: Feedback) => {
        if (!users.has(feedback.user_id)) throw new FeedServiceError("problem", "unknown", 404, "unknown_user");
        recorded.push(feedback);
      },
    };

    await sendFeedback(sink, hide, async () => void users.add("ann"));

    assert.deepEqual(recorded, [hide]);
  });

  it("passes on any other failure", async () => {
    const sink = { feedback: () => Promise.reject(new FeedServiceError("timeout", "no response")) };

    await assert.rejects(
      sendFeedback(sink, hide, () => assert.fail("the user was registered")),
      { kind: "timeout" },
    );
  });
});

describe("retracting events", () => {
  const like = { user_id: "ann", post_id: POST, interaction_type: "like" as const };

  for (const code of ["unknown_user", "unknown_post"]) {
    it(`removes nothing after ${code}`, async () => {
      const sink = { retract: () => Promise.reject(new FeedServiceError("problem", "unknown", 404, code)) };

      assert.equal(await retract(sink, like), 0);
    });
  }

  it("returns the number of removed events", async () => {
    assert.equal(await retract({ retract: async () => ({ status: "retracted", removed: 2 }) }, like), 2);
  });
});

describe("a failure of the service", () => {
  for (const [status, code, final] of [
    [404, "unknown_post", true],
    [409, "managed_elsewhere", true],
    [404, "unknown_user", false],
    [401, "unauthorized", false],
    [429, "rate_limited", false],
    [503, "storage_unavailable", false],
  ] as const) {
    it(`is ${final ? "final" : "temporary"} with ${status} ${code}`, () => {
      assert.equal(isFinalRejection(new FeedServiceError("problem", "no", status, code)), final);
    });
  }
});
