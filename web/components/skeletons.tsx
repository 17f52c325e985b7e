/** Placeholders for posts that are loading. */
export function Skeletons({ count, label }: { count: number; label: string }) {
  return (
    <div className="skeletons" role="status" aria-label={label}>
      {Array.from({ length: count }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: placeholders never change places
        <div className="post skeleton" key={index} aria-hidden="true">
          <span className="avatar" />
          <div className="post-body">
            <span className="skeleton-line" style={{ width: "32%" }} />
            <span className="skeleton-line" style={{ width: "94%" }} />
            <span className="skeleton-line" style={{ width: `${58 + ((index * 17) % 30)}%` }} />
          </div>
        </div>
      ))}
    </div>
  );
}
