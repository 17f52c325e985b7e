import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { type Dismissal, isListed } from "@/components/dismissals";
import { feedbackChoices } from "@/components/feedback-choices";
import { InMemoryPosts } from "@/tests/support/in-memory-posts";

const BOB = { id: "bob", name: "Bob Reed", followed: false };
const [plain, first, second] = new InMemoryPosts(3).posts;
if (!plain || !first || !second) throw new Error("three posts are needed");
const byBob = { ...first, author: BOB, tags: ["Tea", "maps"] };
const alsoByBob = { ...second, author: BOB, tags: ["tea"] };
const labels = (post: typeof byBob | typeof plain, user = "ann") =>
  feedbackChoices(post, user).map(({ label }) => label);
const choose = (post: typeof byBob, chosen: string): Dismissal => {
  const choice = feedbackChoices(post, "ann").find(({ label }) => label === chosen);
  if (!choice) throw new Error(`no entry ${chosen}`);
  return choice.dismissal;
};
const listOf = (dismissal: Dismissal) => {
  const dismissals = { [dismissal.id]: dismissal };
  return [plain, byBob, alsoByBob].map((post) => isListed(post, dismissals));
};

describe("the menu of a post", () => {
  it("has actions on the post, on its author and on its tags", () => {
    assert.deepEqual(labels(byBob), [
      "Hide this post",
      "Not interested",
      "Mute @Bob Reed",
      "Block @Bob Reed",
      "Mute #Tea",
      "Mute #maps",
      "Report post",
    ]);
  });

  it("has no action on an unknown author", () => {
    assert.deepEqual(labels({ ...plain, tags: [] }), ["Hide this post", "Not interested", "Report post"]);
  });

  it("has no feedback on the user's own post", () => {
    assert.deepEqual(labels(byBob, "bob"), []);
  });
});

describe("a dismissal", () => {
  it("has the post as its target if the action concerns the post", () => {
    assert.deepEqual(choose(byBob, "Hide this post").target, { action: "hide_post", post_id: byBob.id });
  });

  it("has the author as its target if the action concerns the author", () => {
    const { target, text } = choose(byBob, "Block @Bob Reed");

    assert.deepEqual(target, { action: "block_author", author_id: "bob" });
    assert.match(text, /^You blocked @Bob Reed\./);
  });

  it("has the tag as its target if the action concerns a tag", () => {
    assert.deepEqual(choose(byBob, "Mute #maps").target, { action: "mute_tag", tag: "maps" });
  });
});

describe("the list", () => {
  it("keeps a place for a dismissed post while it can be undone", () => {
    assert.deepEqual(listOf(choose(byBob, "Hide this post")), [true, true, true]);
  });

  it("has no place for it afterwards", () => {
    assert.deepEqual(listOf({ ...choose(byBob, "Hide this post"), undoable: false }), [true, false, true]);
  });

  it("leaves out the other posts of a muted author at once", () => {
    assert.deepEqual(listOf(choose(byBob, "Mute @Bob Reed")), [true, true, false]);
  });

  it("leaves out the other posts with a muted tag at once, in any case of its letters", () => {
    assert.deepEqual(listOf(choose(byBob, "Mute #Tea")), [true, true, false]);
    assert.deepEqual(listOf(choose(byBob, "Mute #maps")), [true, true, true]);
  });
});
