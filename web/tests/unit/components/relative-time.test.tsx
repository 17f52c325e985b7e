// @vitest-environment happy-dom
import assert from "node:assert/strict";
import { cleanup, render } from "@testing-library/react";
import { renderToString } from "react-dom/server";
import { afterEach, describe, it, vi } from "vitest";
import { ageOf, RelativeTime } from "@/components/relative-time";

const ISO = "2026-03-01T23:30:00.000Z";

describe("a time", () => {
  afterEach(() => {
    cleanup();
    vi.unstubAllEnvs();
  });

  it("is an age, and the date of the reader's time zone after a week", () => {
    const at = (seconds: number, timeZone?: string) => ageOf(ISO, Date.parse(ISO) + seconds * 1000, timeZone);

    assert.deepEqual(
      [-5, 59, 60, 3600, 86_400].map((seconds) => at(seconds)),
      ["now", "now", "1m", "1h", "1d"],
    );
    assert.equal(at(604_800), "Mar 1, 2026");
    assert.equal(at(604_800, "Asia/Tokyo"), "Mar 2, 2026");
  });

  it("is in UTC in the HTML, and in the reader's time zone in the browser", () => {
    vi.stubEnv("TZ", "Asia/Tokyo");
    const html = renderToString(<RelativeTime iso={ISO} />);
    const { container } = render(<RelativeTime iso={ISO} />);

    assert.match(html, /title="Mar 1, 2026, 11:30\sPM UTC"/);
    assert.match(container.querySelector("time")?.title ?? "", /^Mar 2, 2026, 8:30\sAM GMT\+9$/);
    assert.equal(container.textContent, "Mar 2, 2026");
  });
});
