// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { cleanup, fireEvent, render } from "@testing-library/react";
import { AppRouterContext, type AppRouterInstance } from "next/dist/shared/lib/app-router-context.shared-runtime";
import { afterEach, describe, it } from "vitest";
import { PageNavigation } from "@/components/page-navigation";

const opened: unknown[][] = [];
const ROUTER = {
  push: (path: string) => opened.push(["push", path]),
  replace: (path: string, options: object) => opened.push(["replace", path, options]),
} as unknown as AppRouterInstance;
/** Keeps the browser from opening what the component leaves to it. */
const leave = (event: Event) => event.preventDefault();

/** What the router opens after a click on the link, or on what is in it. */
function click(link: React.ReactElement, init: MouseEventInit = {}): unknown[][] {
  opened.length = 0;
  const { container } = render(
    <AppRouterContext value={ROUTER}>
      <PageNavigation />
      {link}
    </AppRouterContext>,
  );
  addEventListener("click", leave);
  fireEvent.click(container.querySelector("a > *") ?? container.querySelector("a") ?? container, init);
  return [...opened];
}

describe("a click on a link", () => {
  afterEach(() => {
    removeEventListener("click", leave);
    cleanup();
  });

  it("opens a page of the application in the same document", () => {
    const link = (
      <a href="/user/a%20b?x=1">
        <b>Ada</b>
      </a>
    );
    assert.deepEqual(click(link), [["push", "/user/a%20b?x=1"]]);
  });

  it("takes the place of the page if the link says so", () => {
    const link = (
      <a href="/post/1?replies=top" data-replace>
        Top
      </a>
    );
    assert.deepEqual(click(link), [["replace", "/post/1?replies=top", { scroll: false }]]);
  });

  for (const [name, href, init] of [
    ["with a key for a new tab", "/seen", { ctrlKey: true }],
    ["with the middle button", "/seen", { button: 1 }],
    ["to another site", "https://outside.example/seen", {}],
    ["to a route", "/api/settings/export", {}],
    ["to a part of the page", "#main", {}],
  ] as const) {
    it(`is left to the browser ${name}`, () => {
      assert.deepEqual(click(<a href={href}>Recently seen</a>, init), []);
    });
  }

  it("is left to a handler that has taken it", () => {
    const link = (
      <a href="/seen" onClick={(event) => event.preventDefault()}>
        Recently seen
      </a>
    );
    assert.deepEqual(click(link), []);
  });
});
