/** A user in a list of people. */
export interface Person {
  id: string;
  name: string;
  /** Whether the viewer follows them. */
  followed: boolean;
}

/** The head of the page of a user. */
export interface Profile extends Person {
  /** How many people the viewer finds in the lists of followers and of followed people, or an imported number. */
  followerCount: number;
  followingCount: number;
  /** Whether the viewer is this user. */
  own: boolean;
  /** What the viewer has chosen for this author. */
  muted: boolean;
  blocked: boolean;
}

/** One page of a list of people. */
export interface PeoplePage {
  people: Person[];
  /** Where the next page begins; null at the end of the list. */
  nextCursor: string | null;
}

/** The path of the page of a user. */
export function profilePath(id: string): string {
  return `/user/${encodeURIComponent(id)}`;
}

/** The path of the page of a tag. */
export function tagPath(tag: string): string {
  return `/tag/${encodeURIComponent(tag)}`;
}
