/** A number with its sign and three decimals, such as "+0.302". */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(3);
  if (Number(text) === 0) return text;
  return value < 0 ? `−${text}` : `+${text}`;
}

/** The ends of an interval; a dash without one. */
export function interval({ low, high }: { low: number | null; high: number | null }): string {
  return low === null || high === null ? "–" : `${signed(low)} to ${signed(high)}`;
}
