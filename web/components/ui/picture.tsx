interface PictureProps {
  url: string;
  /** The size of the file in pixels, so that the text below does not move when it arrives. */
  width: number;
  height: number;
  alt: string;
}

/** A picture of a post, as wide as its text and at most 32 rem high. */
export function Picture({ url, width, height, alt }: PictureProps) {
  return (
    // biome-ignore lint/performance/noImgElement: the picture is stored in the size in which it is shown
    <img
      src={url}
      width={width}
      height={height}
      alt={alt}
      loading="lazy"
      decoding="async"
      className="mt-2.5 h-auto max-h-128 w-full rounded-card border border-line bg-sunken object-cover"
    />
  );
}
