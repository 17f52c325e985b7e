"use client";

import { useCallback } from "react";
import { useStore } from "zustand";
import { useLoadOnFirstUse } from "../ui/load-on-first-use";
import { useWrites } from "./writes-provider";

const loadDialog = () => import("./delete-dialog").then((module) => module.DeleteDialog);

/** The question whether to delete a post, after the user has chosen it in a menu. */
export function DeleteOnDemand() {
  const { deletion } = useWrites();
  const { asked } = useStore(deletion);
  const close = useCallback(() => deletion.setState({ asked: null }), [deletion]);
  const Dialog = useLoadOnFirstUse(asked !== null, loadDialog, close);
  return asked && Dialog && <Dialog asked={asked} onClose={close} />;
}
