// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { act, cleanup, render } from "@testing-library/react";
import { afterEach, describe, it, vi } from "vitest";
import { usePullToRefresh } from "@/components/use-pull-to-refresh";

function Page({ onRefresh }: { onRefresh: () => void }) {
  usePullToRefresh(onRefresh);
  return null;
}

/** A finger, or several, at these distances from the top. */
async function touch(type: string, ...distances: number[]) {
  const event = new Event(type);
  Object.defineProperty(event, "touches", { value: distances.map((clientY) => ({ clientY })) });
  await act(async () => {
    window.dispatchEvent(event);
    await vi.dynamicImportSettled();
  });
}

describe("a pull at the top of the page", () => {
  afterEach(cleanup);

  it("refreshes after a long way, and not after a short one or with two fingers", async () => {
    let refreshed = 0;
    render(
      <Page
        onRefresh={() => {
          refreshed += 1;
        }}
      />,
    );
    const pull = async (way: number, ...others: number[]) => {
      await touch("touchstart", 100, ...others);
      await touch("touchmove", 100 + way, ...others);
      const isShown = document.querySelector("body > [aria-hidden]") !== null;
      await touch("touchend");
      assert.equal(document.querySelector("body > [aria-hidden]"), null);
      return [isShown, refreshed];
    };

    assert.deepEqual(await pull(40), [true, 0]);
    assert.deepEqual(await pull(-200), [false, 0]);
    assert.deepEqual(await pull(200, 300), [false, 0]);
    assert.deepEqual(await pull(200), [true, 1]);
    await touch("touchstart", 100);
    await touch("touchmove", 300);
    await touch("touchcancel");
    await touch("touchend");
    assert.equal(refreshed, 1);
  });
});
