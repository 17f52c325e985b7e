// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, it, vi } from "vitest";
import { OfflineNotice } from "@/components/offline-notice";

describe("the notice of a lost connection", () => {
  afterEach(() => {
    cleanup();
    vi.restoreAllMocks();
  });

  it("is shown while the browser is offline", () => {
    const online = vi.spyOn(navigator, "onLine", "get").mockReturnValue(true);
    const change = (isOnline: boolean) => {
      online.mockReturnValue(isOnline);
      act(() => void window.dispatchEvent(new Event(isOnline ? "online" : "offline")));
    };
    render(<OfflineNotice />);
    assert.equal(screen.getByRole("status").textContent, "");

    change(false);
    assert.match(screen.getByRole("status").textContent, /You are offline/);

    change(true);
    assert.equal(screen.getByRole("status").textContent, "");
  });
});
