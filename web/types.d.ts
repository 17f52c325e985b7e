/// <reference types="next" />
/// <reference types="next/image-types/global" />

/** Custom properties in `style`. */
declare module "react" {
  interface CSSProperties {
    [custom: `--${string}`]: string | number | undefined;
  }
}
export {};
