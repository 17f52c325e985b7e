/// <reference types="next" />
/// <reference types="next/image-types/global" />

/** Allows CSS custom properties in `style`. */
declare module "react" {
  interface CSSProperties {
    [custom: `--${string}`]: string | number | undefined;
  }
}

export {};
