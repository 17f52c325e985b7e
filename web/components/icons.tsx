import type { ReactNode } from "react";

/** A line icon of 20 × 20 pixels in the colour of the text. Screen readers ignore it. */
function Icon({ children, filled = false }: { children: ReactNode; filled?: boolean }) {
  return (
    <svg
      aria-hidden="true"
      width="20"
      height="20"
      viewBox="0 0 24 24"
      fill={filled ? "currentColor" : "none"}
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

export const HeartIcon = ({ filled = false }) => (
  <Icon filled={filled}>
    <path d="M12 20.5S3.5 15.6 3.5 9.6C3.5 6.9 5.6 4.8 8.1 4.8c1.7 0 3.1.9 3.9 2.3.8-1.4 2.2-2.3 3.9-2.3 2.5 0 4.6 2.1 4.6 4.8 0 6-8.5 10.9-8.5 10.9Z" />
  </Icon>
);
export const CommentIcon = () => (
  <Icon>
    <path d="M12 4c-4.7 0-8.5 3.3-8.5 7.5 0 2 .9 3.8 2.3 5.1L5 20.5l4.2-1.6c.9.2 1.8.3 2.8.3 4.7 0 8.5-3.4 8.5-7.6S16.700 4 12 4Z" />
  </Icon>
);
export const ShareIcon = () => (
  <Icon>
    <path d="M20.500 4 3.500 10.200l6.800 3 3 6.800L20.500 4ZM10.300 13.200l3.800-3.600" />
  </Icon>
);
export const MoreIcon = () => (
  <Icon filled>
    <circle cx="6" cy="12" r="0.9" />
    <circle cx="12" cy="12" r="0.9" />
    <circle cx="18" cy="12" r="0.9" />
  </Icon>
);
export const HomeIcon = () => (
  <Icon>
    <path d="M4 10.500 12 4l8 6.500V19a1 1 0 0 1-1 1h-4.500v-5.500h-5V20H5a1 1 0 0 1-1-1v-8.500Z" />
  </Icon>
);
export const GaugeIcon = () => (
  <Icon>
    <path d="M4 17.500a8.500 8.500 0 1 1 16 0M12 14l3.500-4.500M12 15.200a1.200 1.200 0 1 0 0-2.400 1.200 1.200 0 0 0 0 2.400Z" />
  </Icon>
);
export const ThemeIcon = () => (
  <Icon>
    <path d="M12 4a8 8 0 1 0 0 16V4Z" fill="currentColor" />
    <circle cx="12" cy="12" r="8" />
  </Icon>
);
export const RefreshIcon = () => (
  <Icon>
    <path d="M19.500 12a7.500 7.500 0 1 1-2.300-5.400L19.500 9M19.500 4.500V9H15" />
  </Icon>
);
export const CloseIcon = () => (
  <Icon>
    <path d="m6 6 12 12M18 6 6 18" />
  </Icon>
);
export const CheckIcon = () => (
  <Icon>
    <path d="m5 12.500 4.500 4.500L19 7.500" />
  </Icon>
);
export const SparkIcon = () => (
  <Icon>
    <path d="M12 4v4M12 16v4M4 12h4M16 12h4M6.800 6.800l2 2M15.200 15.200l2 2M17.200 6.800l-2 2M8.800 15.200l-2 2" />
  </Icon>
);
