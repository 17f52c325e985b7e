export * from "./client.ts";
export * from "./event-queue.ts";
export * from "./event-store.ts";
export * from "./feed-page.ts";
export * from "./item-store.ts";
export * from "./seen-reporter.ts";
export * from "./types.ts";
export * from "./view-tracker.ts";
