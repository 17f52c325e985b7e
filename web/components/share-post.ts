import type { PostWithUser } from "@/lib/feed/post";
import { pathOf } from "./post-link";

/** Opens the share dialog on touch screens, else copies the link. Returns false if the user cancels. */
export async function sharePost(post: PostWithUser, announce: (message: string) => void): Promise<boolean> {
  const hasTouchScreen = matchMedia("(pointer: coarse)").matches;
  if (!hasTouchScreen || typeof navigator.share !== "function") {
    await copyLink(post, announce);
    return true;
  }
  try {
    await navigator.share({ url: urlOf(post), text: post.content ?? undefined });
  } catch {
    return false;
  }
  announce("Shared");
  return true;
}

/** Copies the link, or shows it if the browser forbids access to the clipboard. */
export async function copyLink(post: PostWithUser, announce: (message: string) => void): Promise<void> {
  try {
    await navigator.clipboard.writeText(urlOf(post));
    announce("Link copied");
  } catch {
    announce(urlOf(post));
  }
}

function urlOf(post: PostWithUser): string {
  return new URL(pathOf(post), location.href).href;
}
