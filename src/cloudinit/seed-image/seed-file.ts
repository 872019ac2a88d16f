/** One file of a seed image. */
export interface SeedFile {
  /** As cloud-init asks for it: `user-data`. See `file-rules.ts` for what may stand here. */
  readonly name: string;
  /** Bytes of the content. Known beforehand, because directories stand before contents. */
  readonly size: number;
  /** The content, from its beginning at each call: an image whose half-written file was swept is written again. */
  chunks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** A document that is in memory; text becomes UTF-8. `content` stays the caller's and is not copied. */
export function seedFile(name: string, content: string | Uint8Array): SeedFile {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return { name, size: bytes.length, chunks: () => [bytes] };
}
