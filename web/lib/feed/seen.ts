import type { SeenPage } from "@feed/client";
import { isId } from "@/lib/platform/ids";

const MAX_PAGES = 20;
const MAX_POSTS = 200;

export interface SeenBody {
  user: unknown;
  pages: SeenPage[];
}

/** Checks the body of `POST /api/impressions`. Throws SyntaxError with the place of the first error and its rule. */
export function parseSeen(body: unknown): SeenBody {
  const { user, pages } = (body ?? {}) as { user?: unknown; pages?: unknown };
  if (!Array.isArray(pages) || pages.length === 0 || pages.length > MAX_PAGES) {
    throw new SyntaxError(`pages must be a list of 1..${MAX_PAGES} pages`);
  }
  return { user, pages: pages.map(checkPage) };
}

function checkPage(page: unknown, index: number): SeenPage {
  const { request_id, seen } = (page ?? {}) as Record<string, unknown>;
  if (typeof request_id !== "string" || request_id === "") {
    throw new SyntaxError(`pages[${index}].request_id must be a string`);
  }
  const isList = Array.isArray(seen) && seen.length > 0 && seen.length <= MAX_POSTS;
  if (!isList || !seen.every((id) => typeof id === "string" && isId(id))) {
    throw new SyntaxError(`pages[${index}].seen must be a list of 1..${MAX_POSTS} ids of posts`);
  }
  return { request_id, seen: seen as string[] };
}
