import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { VmnError } from '../../../lib/errors.ts';
import { PRESHARED_KEY_BYTES } from '../../../wireguard/preshared-key.ts';
import { generateSealingKey, openPresharedKey, sealPresharedKey } from '../../../wireguard/sealed-key.ts';
import { writeFileAtomically } from '../../host/atomic-file.ts';
import { errnoOf } from '../../host/errno.ts';

/** This host's pair: pre-shared keys are sealed to the public half. The private one never leaves the state folder. */
export interface SealingKey {
  readonly privateKey: Buffer;
  /** Base64. */
  readonly publicKey: string;
}

const fileSchema = z.strictObject({ version: z.literal(1), privateKey: z.string(), publicKey: z.string() });

/**
 * The pair in the file at `path`, made if there is no file; mode 0600. A file that cannot be read is never replaced: with the key
 * in it all that was sealed to this host would be lost by an accident. Throws VMN_STATE_UNREADABLE.
 */
export function loadSealingKey(path: string): SealingKey {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') {
      const remedy =
        'Restore the file, or remove it: the agent then makes another key, and the controller seals the keys of this host again.';
      throw new VmnError('VMN_STATE_UNREADABLE', {
        attempted: 'read the sealing key',
        on: path,
        remedy,
        cause,
      });
    }
  }
  const key = generateSealingKey();
  try {
    const { publicKey } = key;
    const privateKey = key.privateKey.toString('base64');
    writeFileAtomically(path, `${JSON.stringify({ version: 1, publicKey, privateKey })}\n`);
    return key;
  } catch (cause) {
    const remedy = 'Check that --state-dir is writable and has space left.';
    throw new VmnError('VMN_STATE_UNREADABLE', {
      attempted: 'keep the sealing key',
      on: path,
      remedy,
      cause,
    });
  }
}

/** Errors quote nothing of the file. */
function parse(text: string): SealingKey {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw new Error('it is not what an agent writes');
  const { publicKey } = parsed.data;
  const privateKey = Buffer.from(parsed.data.privateKey, 'base64');
  if (!isPair({ privateKey, publicKey })) throw new Error('the two halves in it are no pair');
  return { privateKey, publicKey };
}

function isPair({ privateKey, publicKey }: SealingKey): boolean {
  const where = { namespace: '', name: '', recipient: publicKey };
  const probe = randomBytes(PRESHARED_KEY_BYTES);
  try {
    return openPresharedKey(sealPresharedKey(probe, where), privateKey, where).equals(probe);
  } catch {
    return false;
  }
}
