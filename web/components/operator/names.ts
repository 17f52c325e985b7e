/** The names of the service, such as `popular_author`, as words. */
export function formatName(name: string): string {
  return name.replaceAll("_", " ");
}

/** A time of the service or of the database, to the minute, in UTC. */
export function formatTime(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}
