import localFont from "next/font/local";

/** Inter, from the package. The text is shown in a system font of the same size until the file has arrived. */
export const inter = localFont({
  src: "../../node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
  weight: "100 900",
  display: "swap",
  preload: false, // the text is painted first
  variable: "--font-inter",
  fallback: ["system-ui", "sans-serif"],
  adjustFontFallback: "Arial",
});
