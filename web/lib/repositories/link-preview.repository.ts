import { findPosts } from "./post.repository";

/** A viewer without an account, follows or settings. */
const ANONYMOUS = "00000000-0000-0000-0000-000000000000";
const MAX_DESCRIPTION_LENGTH = 160;

/** What another site shows of a link to a post. */
export interface LinkPreview {
  author: string;
  /** The first characters of the text; null without a text. */
  description: string | null;
  createdAt: string;
}

/** The preview of a post; null if not everybody may see it. Throws DatabaseUnavailable. */
export async function findLinkPreview(postId: string): Promise<LinkPreview | null> {
  const [post] = await findPosts(ANONYMOUS, [postId]);
  if (!post) return null;
  const characters = [...(post.content ?? "").replaceAll(/\s+/g, " ").trim()];
  const isCut = characters.length > MAX_DESCRIPTION_LENGTH;
  const description = isCut ? `${characters.slice(0, MAX_DESCRIPTION_LENGTH - 1).join("")}…` : characters.join("");
  return { author: post.author?.name ?? "Unknown author", description: description || null, createdAt: post.createdAt };
}
