import { after, before } from "node:test";
import type { FakeFeedService } from "@feed/client/testing";

/** Runs the service during the tests of the enclosing file or suite, with `ML_SERVICE_URL` as its address. */
export function useFeedService(service: FakeFeedService): void {
  before(async () => {
    await service.start();
    process.env["ML_SERVICE_URL"] = service.url;
  });
  after(async () => {
    delete process.env["ML_SERVICE_URL"];
    await service.stop();
  });
}
