const ELLIPSIS = '…';

/** At most `bytes` bytes of UTF-8, cut between characters; what was cut ends in an ellipsis. */
export function cutText(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const encoded = Buffer.from(text);
  let end = Math.max(0, bytes - Buffer.byteLength(ELLIPSIS));
  // 0b10xxxxxx goes on with a character that began before.
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return encoded.toString('utf8', 0, end) + ELLIPSIS;
}
