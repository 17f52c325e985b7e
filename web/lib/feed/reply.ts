/** A reply to a post as the page shows it. */
export interface Reply {
  id: string;
  author: string;
  text: string;
  createdAt: string;
  /** Whether the viewer wrote it, and may delete it. */
  own: boolean;
  /** False for a comment that is no post and has no page: on a post for followers, or of another client. */
  isPost: boolean;
}
