/** RFC 3339 with exactly six digits, as the API server reads a MicroTime; the last three are zero. */
export function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
