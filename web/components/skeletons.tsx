import { Skeleton } from "./ui/skeleton";

/** Placeholders for posts that are loading. */
export function Skeletons({ count, label }: { count: number; label: string }) {
  return (
    <div className="skeletons" role="status" aria-label={label}>
      {Array.from({ length: count }, (_, index) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: placeholders never change places
          key={index}
          aria-hidden="true"
          className="grid grid-cols-[2.5rem_minmax(0,1fr)] gap-x-3 border-b border-line px-gutter pt-row pb-12"
        >
          <Skeleton className="size-10 rounded-full" />
          <div className="grid gap-3.5 pt-2">
            <Skeleton className="h-3 w-1/3" />
            <Skeleton className="h-3 w-11/12" />
            <Skeleton className="h-3 w-2/3" />
          </div>
        </div>
      ))}
    </div>
  );
}
