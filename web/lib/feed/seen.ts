import { z } from "zod";
import { idOf } from "@/lib/platform/body";

const MAX_PAGES = 20;
const MAX_POSTS = 200;
const PAGES_RULE = `must be a list of 1..${MAX_PAGES} pages`;
const SEEN_RULE = `must be a list of 1..${MAX_POSTS} ids of posts`;

/** The body of `POST /api/impressions`. */
export const seenBody = z.object(
  {
    user: z.string("must be a string").optional(),
    pages: z
      .array(
        z.object(
          {
            request_id: z.string("must be a string").min(1, "must be a string"),
            seen: z.array(idOf("a post"), SEEN_RULE).min(1, SEEN_RULE).max(MAX_POSTS, SEEN_RULE),
          },
          "must be a page",
        ),
        PAGES_RULE,
      )
      .min(1, PAGES_RULE)
      .max(MAX_PAGES, PAGES_RULE),
  },
  "must be an object",
);
