"use client";

import { Button } from "../ui/button";
import { DialogContent } from "../ui/dialog-content";
import { useWriteQueue } from "./use-write-queue";
import type { PostToDelete } from "./writes-provider";

/** Asks whether to delete a post. */
export function DeleteDialog({ asked, onClose }: { asked: PostToDelete; onClose: () => void }) {
  const { delete: deletePost } = useWriteQueue();
  const { id, kind, parent } = asked;
  const confirm = () => {
    onClose();
    deletePost(id, parent);
  };
  return (
    <DialogContent title={`Delete this ${kind}?`} onClose={onClose}>
      <p className="text-soft">It disappears for everybody. This cannot be undone.</p>
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button variant="danger" onClick={confirm}>
          Delete
        </Button>
      </div>
    </DialogContent>
  );
}
