/** What another system answered, or one sentence that says why it did not. */
export type Answer<T> = { value: T; problem: null } | { value: null; problem: string };

export function answered<T>(value: T): Answer<T> {
  return { value, problem: null };
}

export function unanswered<T>(problem: string): Answer<T> {
  return { value: null, problem };
}
