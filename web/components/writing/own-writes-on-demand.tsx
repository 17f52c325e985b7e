"use client";

import { useCallback } from "react";
import { useLoadOnFirstUse } from "../ui/load-on-first-use";
import { useWriteStates } from "./writes-provider";

const loadOwnWrites = () => import("./own-writes").then((module) => module.OwnWrites);

/** The user's new posts above a list, once there are some. */
export function OwnWritesOnDemand() {
  const isWanted = useWriteStates((states) => Object.keys(states).length > 0);
  const ignore = useCallback(() => undefined, []);
  const OwnWrites = useLoadOnFirstUse(isWanted, loadOwnWrites, ignore);
  return isWanted && OwnWrites && <OwnWrites />;
}
