export * from "./client";
export * from "./event-queue";
export * from "./event-store";
export * from "./feed-page";
export * from "./seen-reporter";
export * from "./types";
export * from "./view-tracker";
