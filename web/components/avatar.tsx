/** A disc with an initial and a colour derived from the name. The demo has no pictures. */
export function Avatar({ name, size = 40 }: { name: string | null; size?: number }) {
  const hue = name === null ? null : hueOf(name);
  const initial = name === null ? "·" : (name.match(/[\p{L}\p{N}]/u)?.[0] ?? "·").toUpperCase();
  return (
    <span
      className="avatar"
      aria-hidden="true"
      style={{
        width: size,
        height: size,
        fontSize: size * 0.42,
        ...(hue === null ? {} : { "--hue": hue }),
      }}
    >
      {initial}
    </span>
  );
}

function hueOf(name: string): number {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360_007;
  return hash % 360;
}
