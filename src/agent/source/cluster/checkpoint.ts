import { createHash } from 'node:crypto';
import { z } from 'zod';
import { savedAttachmentSchema, savedClassSchema } from './wishes.ts';

/*
 * The last known wishes as text. The first line names the format and the checksum of the rest, which is JSON:
 *
 *   vmnetwork-checkpoint 1 SHA-256
 *   {"nodeName":"node-3","savedAt":"2026-01-31T12:00:00.000Z","attachments":[…],"classes":[…]}
 *
 * Specs stand in it as the API server gave them and are parsed and judged again when they are read, by the version of the agent
 * that reads them. Pre-shared keys stand in it sealed.
 */

const FORMAT = 'vmnetwork-checkpoint 1';

const checkpointSchema = z.strictObject({
  nodeName: z.string(),
  /** Wall clock, ISO 8601. */
  savedAt: z.iso.datetime(),
  attachments: z.array(savedAttachmentSchema),
  classes: z.array(savedClassSchema),
});

export type Checkpoint = z.infer<typeof checkpointSchema>;

export function serializeCheckpoint(checkpoint: Checkpoint): string {
  const body = `${JSON.stringify(checkpoint)}\n`;
  return `${FORMAT} ${checksum(body)}\n${body}`;
}

/** The inverse; throws an ordinary error that says what is wrong. */
export function parseCheckpoint(text: string, nodeName: string): Checkpoint {
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  if (end < 0 || text.slice(0, end) !== `${FORMAT} ${checksum(body)}`) {
    throw new Error('its checksum, or its format, is another');
  }
  const parsed = checkpointSchema.safeParse(JSON.parse(body));
  if (!parsed.success)
    throw new Error(`it is not what an agent writes: ${parsed.error.issues[0]?.message ?? ''}`);
  if (parsed.data.nodeName !== nodeName) throw new Error(`it is that of node ${parsed.data.nodeName}`);
  return parsed.data;
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
