/** The largest length of a post in characters. */
export const MAX_TEXT_LENGTH = 2000;

/** The number of characters of a text: an emoji of two UTF-16 units is one. */
export function lengthOf(text: string): number {
  return [...text].length;
}
