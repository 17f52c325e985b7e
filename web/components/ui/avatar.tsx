import { cn } from "./cn";

interface AvatarProps {
  /** The id of the user. The same id has the same picture everywhere; null for an unknown user. */
  id: string | null;
  name: string | null;
  /** In pixels. */
  size?: number;
  className?: string;
}

/** A picture that is made from the id of a user: two colours and the initial of the name. */
export function Avatar({ id, name, size = 40, className }: AvatarProps) {
  const initial = (name?.match(/[\p{L}\p{N}]/u)?.[0] ?? "·").toUpperCase();
  const hash = id === null ? null : hashOf(id);
  return (
    <span
      aria-hidden="true"
      className={cn(
        "inline-grid shrink-0 place-items-center rounded-full leading-none font-semibold select-none",
        hash === null ? "bg-sunken text-soft" : "generated-avatar",
        className,
      )}
      style={{
        width: size,
        height: size,
        fontSize: size * 0.42,
        ...(hash === null
          ? {}
          : { "--hue": hash % 360, "--shift": 40 + ((hash >> 9) % 100), "--turn": `${(hash >> 17) % 360}deg` }),
      }}
    >
      {initial}
    </span>
  );
}

/** A number from 0 to 2^31 - 1 that depends on each character of the text (FNV-1a). */
function hashOf(text: string): number {
  let hash = 2_166_136_261;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619);
  return hash >>> 1;
}
