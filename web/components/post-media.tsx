import type { PostPicture } from "@/lib/feed/post";
import { cn } from "./ui/cn";

/** The pictures of a post. `eager` ones are on screen first, and are loaded with the page. */
export function PostMedia({ media, eager }: { media: readonly PostPicture[]; eager: boolean }) {
  return (
    <div
      className={cn(
        "mt-2 grid gap-0.5 overflow-hidden rounded-xl border border-line bg-sunken",
        media.length > 1 && "grid-cols-2",
      )}
    >
      {media.map(({ url, width, height, alt }) => (
        // biome-ignore lint/performance/noImgElement: the files are small and have the size in which they are shown
        <img
          key={url}
          src={url}
          width={width}
          height={height}
          alt={alt}
          loading={eager ? "eager" : "lazy"}
          decoding="async"
          className="h-auto max-h-128 w-full object-cover"
        />
      ))}
    </div>
  );
}
