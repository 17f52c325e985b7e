/** The shape of posts that are on their way. */
export function Skeletons({ count, label }: { count: number; label: string }) {
  return (
    <div className="skeletons" role="status" aria-label={label}>
      {Array.from({ length: count }, (_, place) => (
        <div className="post skeleton" key={place} aria-hidden="true">
          <span className="avatar" />
          <div className="post-body">
            <span className="bone" style={{ width: "32%" }} />
            <span className="bone" style={{ width: "94%" }} />
            <span className="bone" style={{ width: `${58 + ((place * 17) % 30)}%` }} />
          </div>
        </div>
      ))}
    </div>
  );
}
