import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { type Dismissal, isListed } from "@/components/dismissals";
import { dismissalOf, feedbackChoices } from "@/components/feedback-choices";
import { InMemoryPosts } from "@/tests/support/in-memory-posts";

const BOB = { id: "bob", name: "Bob Reed", followed: false };
const [plain, first, second] = new InMemoryPosts(3).posts;
if (!plain || !first || !second) throw new Error("three posts are needed");
const byBob = { ...first, author: BOB };
const alsoByBob = { ...second, author: BOB };
const labels = (post: typeof byBob | typeof plain, user = "ann") =>
  feedbackChoices(post, user).map(({ label }) => label);
const listOf = (dismissal: Dismissal) => {
  const dismissals = { [dismissal.id]: dismissal };
  return [plain, byBob, alsoByBob].map((post) => isListed(post, dismissals));
};

describe("the menu of a post", () => {
  it("has actions on the post and on its author", () => {
    assert.deepEqual(labels(byBob), [
      "Hide this post",
      "Not interested",
      "Mute @Bob Reed",
      "Block @Bob Reed",
      "Report post",
    ]);
  });

  it("has no action on an unknown author", () => {
    assert.deepEqual(labels(plain), ["Hide this post", "Not interested", "Report post"]);
  });

  it("has no feedback on the user's own post", () => {
    assert.deepEqual(labels(byBob, "bob"), []);
  });
});

describe("a dismissal", () => {
  it("has the post as its target if the action concerns the post", () => {
    assert.deepEqual(dismissalOf(byBob, "hide_post").target, { action: "hide_post", post_id: byBob.id });
  });

  it("has the author as its target if the action concerns the author", () => {
    const { target, text } = dismissalOf(byBob, "block_author");

    assert.deepEqual(target, { action: "block_author", author_id: "bob" });
    assert.match(text, /^You blocked @Bob Reed\./);
  });

  it("of an author needs an author", () => {
    assert.throws(() => dismissalOf(plain, "mute_author"), /has no author/);
  });
});

describe("the list", () => {
  it("keeps a place for a dismissed post while it can be undone", () => {
    assert.deepEqual(listOf(dismissalOf(byBob, "hide_post")), [true, true, true]);
  });

  it("has no place for it afterwards", () => {
    assert.deepEqual(listOf({ ...dismissalOf(byBob, "hide_post"), undoable: false }), [true, false, true]);
  });

  it("leaves out the other posts of a muted author at once", () => {
    assert.deepEqual(listOf(dismissalOf(byBob, "mute_author")), [true, true, false]);
  });
});
