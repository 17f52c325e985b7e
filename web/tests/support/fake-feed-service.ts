import type { FakeFeedService } from "@feed/client/testing";
import { afterAll, beforeAll } from "vitest";

/** Runs the service during the tests of the enclosing file or suite, with `ML_SERVICE_URL` as its address. */
export function useFeedService(service: FakeFeedService): void {
  beforeAll(async () => {
    await service.start();
    process.env["ML_SERVICE_URL"] = service.url;
  });
  afterAll(async () => {
    delete process.env["ML_SERVICE_URL"];
    await service.stop();
  });
}
