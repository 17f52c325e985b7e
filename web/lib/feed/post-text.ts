/** A part of the text of a post. */
export interface TextToken {
  kind: "text" | "link" | "mention" | "tag";
  text: string;
}

/** The address of a website. Characters that change the direction of a text could make it look like another one. */
const LINK = String.raw`https?://[^\s<>"'\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+`;
const NAME = String.raw`[\p{L}\p{N}_]`;
const MENTION = `(?<![\\p{L}\\p{N}_@/.])@${NAME}(?:[\\p{L}\\p{N}_.-]{0,98}${NAME})?`;
const TAG = `(?<![\\p{L}\\p{N}_&#/])#${NAME}{1,50}(?!${NAME})`;
const TOKEN = new RegExp(`(${LINK})|(${MENTION})|(${TAG})`, "giu");

/** A text in parts, which give the text when they are joined. Neighbours of the kind "text" are one part. */
export function tokensOf(text: string): TextToken[] {
  const tokens: TextToken[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [found, link, mention] = match;
    const token = link === undefined ? found : withoutPunctuation(link);
    if (link !== undefined && urlOf(token) === null) continue;
    if (match.index > end) tokens.push({ kind: "text", text: text.slice(end, match.index) });
    tokens.push({ kind: link !== undefined ? "link" : mention !== undefined ? "mention" : "tag", text: token });
    end = match.index + token.length;
  }
  if (end < text.length) tokens.push({ kind: "text", text: text.slice(end) });
  return tokens;
}

/** The URL of a link; null if it is invalid, or has a user name, which looks like a host. */
export function urlOf(link: string): URL | null {
  try {
    const url = new URL(link);
    return url.username === "" && url.password === "" ? url : null;
  } catch {
    return null;
  }
}

/** Whether the direction of a text is from right to left, by its first letter, as for `dir="auto"`. */
export function isRightToLeft(text: string): boolean {
  return /^[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(/\p{L}/u.exec(text)?.[0] ?? "");
}

/** A link without the punctuation of the sentence around it: the final one, and a bracket that it does not open. */
function withoutPunctuation(link: string): string {
  let end = link.length;
  for (;;) {
    const last = link.charAt(end - 1);
    const isUnopened = last === ")" && !link.slice(0, end).includes("(");
    if (!isUnopened && !".,;:!?…]}*_".includes(last)) return link.slice(0, end);
    end -= 1;
  }
}
