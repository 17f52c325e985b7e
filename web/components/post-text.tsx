"use client";

import { memo, useMemo, useRef, useState } from "react";
import { isRightToLeft, type TextToken, tokensOf, urlOf } from "@/lib/feed/post-text";
import { cn } from "./ui/cn";
import { useIsCut } from "./use-is-cut";

const LINK = "underline decoration-line decoration-2 underline-offset-3 hover:decoration-current";
/** The addresses of users get no credit from search engines, and their pages no access to this one. */
const OUTSIDE = { rel: "nofollow ugc noopener", target: "_blank" };

interface PostTextProps {
  /** The id of the element with the text. */
  id: string;
  /** What the text is; null if it is not available. */
  text: string | null;
  /** What is shown instead of a text. */
  missing: string;
  /** Whether the text is shown whole. Else it has eight lines, and a button for the rest. */
  whole: boolean;
  /** Whether the text is far from the screen, and needs no links. */
  plain: boolean;
}

/** The text of a post, with its links, mentions and tags, and a card for its first link. */
export const PostText = memo(function PostText({ id, text, missing, whole, plain }: PostTextProps) {
  const element = useRef<HTMLParagraphElement>(null);
  const [isOpen, setIsOpen] = useState(false);
  const isCut = useIsCut(element, !whole && !isOpen);
  const tokens = useMemo(() => tokensOf(text ?? ""), [text]);
  const firstLink = tokens.find(({ kind }) => kind === "link");
  return (
    <>
      <p
        ref={element}
        id={id}
        dir="auto"
        className={cn(
          "content wrap-anywhere whitespace-pre-line text-pretty",
          !whole && !isOpen && "line-clamp-8",
          !text && "text-soft italic",
        )}
      >
        {plain || !text || !tokens.some(({ kind }) => kind !== "text") ? text || missing : tokens.map(Token)}
      </p>
      {(isCut || isOpen) && !plain && (
        <button
          type="button"
          className={cn(
            "relative block h-6 bg-raised text-sm font-semibold text-soft hover:text-ink",
            // It covers the end of the last line, so that it takes no room of its own.
            !isOpen && "-mt-6 px-2",
            !isOpen && (text && isRightToLeft(text) ? "mr-auto" : "ml-auto"),
          )}
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setIsOpen((open) => !open)}
        >
          {isOpen ? "Show less" : "Show more"}
        </button>
      )}
      {firstLink && !plain && <LinkCard link={firstLink.text} />}
    </>
  );
});

function Token({ kind, text }: TextToken, index: number) {
  if (kind === "text") return text;
  if (kind === "link") {
    return (
      <a key={index} href={text} className={LINK} {...OUTSIDE}>
        {text}
      </a>
    );
  }
  const name = text.slice(1);
  const path = kind === "tag" ? `/tag/${encodeURIComponent(name.toLowerCase())}` : mentionPath(name);
  return (
    <a key={index} href={path} className={LINK}>
      {text}
    </a>
  );
}

/** The page that leads to the user with a name. */
function mentionPath(name: string): string {
  return `/user/by-name/${encodeURIComponent(name)}`;
}

/** Says where a link leads, without a request to that place. */
function LinkCard({ link }: { link: string }) {
  const url = urlOf(link);
  if (url === null) return null;
  const path = url.pathname === "/" ? "" : decodedPath(url.pathname);
  return (
    <a
      href={link}
      className="mt-2 block rounded-xl border border-line px-3.5 py-2 text-sm hover:bg-sunken"
      {...OUTSIDE}
    >
      <span className="block truncate font-semibold">{url.host}</span>
      {path !== "" && <span className="block truncate text-soft">{path}</span>}
    </a>
  );
}

/** A path as people read it, or as it is if it cannot be decoded. */
function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
