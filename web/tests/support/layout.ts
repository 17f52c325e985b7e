import type { Page } from "@playwright/test";

/**
 * The elements that are outside of the screen at its sides, or whose text is cut without an ellipsis, by their bounding
 * boxes; one line each. Elements that only screen readers have, and pictures, are excluded.
 */
export async function findLayoutProblems(page: Page): Promise<string[]> {
  // Functions with a name of their own would need a helper of the compiler, which the page does not have.
  return page.evaluate(() =>
    [...document.body.querySelectorAll("*:not(svg *)")].flatMap((element) => {
      const { left, right, width, height } = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      const isSeen = width > 1 && height > 1 && style.visibility !== "hidden" && style.opacity !== "0";
      if (!isSeen || element.closest("[aria-hidden=true]")) return [];
      const name = `${element.tagName.toLowerCase()} "${(element.textContent ?? "").trim().slice(0, 40)}"`;
      const isText = element.childElementCount === 0 && style.textOverflow !== "ellipsis";
      const isOutside = left < -0.5 || right > innerWidth + 0.5;
      const isCut =
        (style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1) ||
        (style.overflowY !== "visible" && element.scrollHeight > element.clientHeight + 1);
      return [
        ...(isOutside ? [`${name} is at ${Math.round(left)}..${Math.round(right)} of ${innerWidth}`] : []),
        ...(isText && isCut ? [`${name} is cut`] : []),
      ];
    }),
  );
}
