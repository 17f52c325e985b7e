import type { Page } from "@playwright/test";
import type { FeedPage } from "./feed-page";

/** The screens of a small phone, a phone, a tablet and a desktop. */
const WIDTHS_PX = [320, 390, 768, 1280];

/**
 * What is wrong with an open page in light and in dark, at each width: violations of axe, and elements that are cut or
 * outside of the screen; one line each.
 */
export async function findProblemsOfLooks(feed: FeedPage): Promise<string[]> {
  const problems: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await feed.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of WIDTHS_PX) {
      await feed.page.setViewportSize({ width, height: 900 });
      const found = [...(await feed.accessibilityViolations()), ...(await findLayoutProblems(feed.page))];
      problems.push(...found.map((problem) => `${width} px, ${colorScheme}: ${problem}`));
    }
  }
  return problems;
}

/**
 * The elements that are outside of the screen at its sides, or whose text is cut without an ellipsis, by their bounding
 * boxes. Elements that only screen readers have, pictures, and what a box or a field can scroll to are excluded.
 */
async function findLayoutProblems(page: Page): Promise<string[]> {
  // Functions with a name of their own would need a helper of the compiler, which the page does not have.
  return page.evaluate(() =>
    [...document.body.querySelectorAll("*:not(svg *)")].flatMap((element) => {
      const { left, right, width, height } = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      const isSeen = width > 1 && height > 1 && style.visibility !== "hidden" && style.opacity !== "0";
      if (!isSeen || element.closest("[aria-hidden=true]")) return [];
      let scrolled = element.parentElement;
      while (scrolled !== null && !/auto|scroll/.test(getComputedStyle(scrolled).overflowX)) {
        scrolled = scrolled.parentElement;
      }
      const name = `${element.tagName.toLowerCase()} "${(element.textContent ?? "").trim().slice(0, 40)}"`;
      const endsShort = style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none";
      const isText = element.childElementCount === 0 && !endsShort && !element.matches("input, textarea");
      const isOutside = scrolled === null && (left < -0.5 || right > innerWidth + 0.5);
      const isCut =
        (/hidden|clip/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1) ||
        (/hidden|clip/.test(style.overflowY) && element.scrollHeight > element.clientHeight + 1);
      return [
        ...(isOutside ? [`${name} is at ${Math.round(left)}..${Math.round(right)} of ${innerWidth}`] : []),
        ...(isText && isCut ? [`${name} is cut`] : []),
      ];
    }),
  );
}
