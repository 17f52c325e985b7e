import type { PostWhy } from "@/lib/feed/post";

/** A sentence of one line that is true of a recommended post and its viewer. */
export function whySentence({ kind, count = 0, tag = "" }: PostWhy, authorName: string | null): string {
  switch (kind) {
    case "followed_author":
      return authorName === null ? "You follow its author" : `You follow ${authorName}`;
    case "similar_users":
      return `${count} people with your taste liked this`;
    case "read_author":
      return "From an author you read";
    case "new_from_read_author":
      return "New from an author you read";
    case "trending":
      return `Trending: ${count} or more people reacted this week`;
    case "tag":
      return `You often read #${tag}`;
    case "new":
      return "New";
    case "exploration":
      return "Few people have reacted yet";
    default:
      return "Suggested for you"; // also a kind that this version does not know
  }
}
