// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, it, vi } from "vitest";
import { PostText } from "@/components/post-text";

const renderText = (text: string | null, { whole = false, plain = false } = {}) =>
  render(<PostText id="text" text={text} missing="No text" whole={whole} plain={plain} />);
const links = () => screen.queryAllByRole("link").map((link) => [link.textContent, link.getAttribute("href")]);

describe("the text of a post", () => {
  let reportSize: (() => void) | undefined;
  const heights = { scrollHeight: 0, clientHeight: 0 };
  beforeEach(() => {
    reportSize = undefined;
    class FakeResizeObserver {
      constructor(private readonly callback: (entries: { target: Element }[]) => void) {}
      observe(target: Element) {
        reportSize = () => this.callback([{ target }]);
      }
      unobserve() {}
    }
    vi.stubGlobal("ResizeObserver", FakeResizeObserver);
    for (const name of ["scrollHeight", "clientHeight"] as const) {
      vi.spyOn(HTMLElement.prototype, name, "get").mockImplementation(() => heights[name]);
    }
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("has links to tags, people and websites, which get no credit", () => {
    renderText("#Übung by @ada: https://a.example/b");

    assert.deepEqual(links(), [
      ["#Übung", "/tag/%C3%BCbung"],
      ["@ada", "/user/by-name/ada"],
      ["https://a.example/b", "https://a.example/b"],
      ["a.example/b", "https://a.example/b"],
    ]);
    for (const link of screen.getAllByRole("link").slice(2)) {
      assert.equal(link.getAttribute("rel"), "nofollow ugc noopener");
    }
  });

  it("is text, whatever it contains", () => {
    const text = '<img src=x onerror=alert(1)> <a href="javascript:alert(1)">b</a>';
    const { container } = renderText(text);

    assert.equal(container.querySelector("p")?.textContent, text);
    assert.equal(container.querySelector("img, a"), null);
  });

  it("has no links while it is far from the screen, and says when there is none", () => {
    renderText("#tea https://a.example", { plain: true });
    assert.deepEqual(links(), []);
    screen.getByText("#tea https://a.example");
    cleanup();

    renderText(null);
    screen.getByText("No text");
  });

  it("has a button for the rest if it is cut, and none otherwise", () => {
    renderText("Many lines");
    Object.assign(heights, { scrollHeight: 200, clientHeight: 200 });
    act(() => reportSize?.());
    assert.equal(screen.queryByRole("button"), null);
    Object.assign(heights, { scrollHeight: 400, clientHeight: 200 });
    act(() => reportSize?.());

    fireEvent.click(screen.getByRole("button", { name: "Show more", expanded: false }));
    assert.equal(document.querySelector("p")?.className.includes("line-clamp"), false);
    fireEvent.click(screen.getByRole("button", { name: "Show less", expanded: true }));
    assert.equal(document.querySelector("p")?.className.includes("line-clamp"), true);
  });

  it("is whole on the page of the post", () => {
    renderText("Many lines", { whole: true });

    assert.equal(reportSize, undefined);
    assert.equal(document.querySelector("p")?.className.includes("line-clamp"), false);
  });
});
