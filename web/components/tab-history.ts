/** The part of the Navigation API that is used here: the history of the tab. */
export interface TabHistory {
  currentEntry: { key: string; index: number } | null;
  entries: () => { index: number; url: string | null }[];
}

/** The history of the tab; undefined on the server and in browsers without the Navigation API. */
export function tabHistory(): TabHistory | undefined {
  return (globalThis as { navigation?: TabHistory }).navigation;
}
