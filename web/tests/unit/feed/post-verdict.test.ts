import assert from "node:assert/strict";
import type { PostTrace } from "@feed/client";
import { describe, it } from "vitest";
import { verdictOf } from "@/lib/feed/post-verdict";

const TRACE: PostTrace = {
  user_id: "u",
  post_id: "p",
  known_user: true,
  model_version: "v1",
  generated_at: "2026-03-01T12:00:00Z",
  verdict: "on_page",
};

describe("the verdict on a post", () => {
  it("names the place and the sources of a post that is shown", () => {
    const { isShown, answer, reasons } = verdictOf({
      ...TRACE,
      position: 3,
      rank: 3,
      score: 0.91,
      sources: ["following", "popular_author"],
    });

    assert.deepEqual([isShown, answer], [true, "Shown: place 3 of the first page."]);
    assert.deepEqual(reasons, [
      "By its score of 0.910 it is number 3 of all ranked posts.",
      "Found by: following, popular author.",
    ]);
  });

  it("names each filter that removes the post, and why", () => {
    const { isShown, reasons } = verdictOf({
      ...TRACE,
      verdict: "filtered",
      removed_by: ["not_excluded", "not_muted", "a_filter_of_a_later_version"],
      excluded_as: ["seen"],
    });

    assert.equal(isShown, false);
    assert.deepEqual(reasons, [
      "Filter not_excluded: the user has an event with the post, so it counts as seen.",
      "Filter not_muted: the post has a word or a tag that the user mutes.",
      "Filter a_filter_of_a_later_version: no description.",
    ]);
  });

  it("gives the rank of a post below the page, and the rule that moved it down", () => {
    const { answer, reasons } = verdictOf({
      ...TRACE,
      verdict: "below_page",
      rank: 73,
      score: 0.21,
      page_rule: "author_spacing",
    });

    assert.equal(answer, "Not on the first page: other posts rank higher.");
    assert.equal(reasons[0], "By its score of 0.210 it is number 73 of all ranked posts.");
    assert.match(reasons[1] ?? "", /same author/);
  });

  it("says where posts follow that are not ranked", () => {
    assert.match(verdictOf({ ...TRACE, verdict: "not_candidate" }).answer, /no source found it/);
    assert.match(verdictOf({ ...TRACE, verdict: "not_live" }).answer, /not hold it in memory/);
  });
});
