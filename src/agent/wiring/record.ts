import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import { z } from 'zod';
import { wireGuardKeySchema } from '../../api/v1alpha1/wireguard-key.ts';
import { VmnError } from '../../lib/errors.ts';
import { syncFolder, writeFileAtomically } from '../host/atomic-file.ts';
import { errnoOf } from '../host/errno.ts';
import { isCardKey } from './card-key.ts';
import { isTapName } from './identity.ts';

/**
 * What must be remembered of an attachment beyond the kernel's life: above all the address its guest was given, which
 * may never move to another VM by accident. One file per tap of ours, and one per card on a tap of others; replaced as a whole. A checksum tells a damaged file
 * from a valid one; a damaged file is an error and never a reason to allocate anew.
 */

/** Counted up when an agent of the version before could misunderstand a record. */
const VERSION = 1;

const claimSchema = z.strictObject({ pid: z.int().positive(), startTicks: z.string() });

/** Of a VM whose violations are to be answered; see attachment/violations.ts. */
const violationsSchema = z.strictObject({
  /** Up to which count of the kernel's everything has been answered. */
  answered: z.int().min(0),
  /** Since when nothing passes because of them (ISO 8601); null: it is not so. */
  quarantinedAt: z.string().nullable(),
  /** The VM is to be ended, and was not yet. */
  toEnd: z.boolean(),
  /** The process that is it, noted before anything is done to it; see attachment/ending.ts. */
  holder: claimSchema.optional(),
});

/** Of a VM on the userspace engine; see userspace/plan.ts. */
const engineSchema = z.strictObject({
  /** The user that it runs as, and the group. */
  uid: z.int().positive(),
  /** Null: the process of the claim is about to start it. */
  process: claimSchema.nullable(),
});

const recordSchema = z.strictObject({
  version: z.literal(VERSION),
  /** Its name; of a card on a tap of others the id that it was found by. */
  vm: z.string().min(1),
  /** What the record goes by: the tap that we made, or the key of a card on a tap of others. */
  tap: z.string().refine(isRecordName),
  guestMac: z.string(),
  guestAddress: z.ipv4(),
  /** `namespace/name` of the VMNetwork that gave the policy last in force; null when none ever did. */
  network: z.string().nullable(),
  /** The process that asked for the tap and is about to use it. While it lives, the tap counts as in use. */
  claim: claimSchema.nullable(),
  /** ISO 8601. The older of two records with one address keeps it. */
  createdAt: z.string(),
  /** Absent: no tunnel. */
  guest: z
    .strictObject({
      /** What the guest was given at the last start of its VM. */
      publicKey: wireGuardKeySchema,
      /** What it gets at the next start instead; see guest/key-rotation.ts. */
      nextPublicKey: wireGuardKeySchema.optional(),
    })
    .optional(),
  /** The request for another key that was answered last; absent: none was. See guest/asked-rotations.ts. */
  rotation: z.string().max(64).optional(),
  /** Absent while violations are only dropped and were never answered otherwise. */
  violations: violationsSchema.optional(),
  /** The VM has this instead of a tap. */
  engine: engineSchema.optional(),
});

export type AttachmentRecord = z.infer<typeof recordSchema>;
/** What is told of a guest's end of the tunnel. */
export type RecordedGuest = NonNullable<AttachmentRecord['guest']>;
export type RecordedViolations = z.infer<typeof violationsSchema>;
/** A process by pid and start time, so that a reused pid is not mistaken for it. */
export type Claim = z.infer<typeof claimSchema>;

export type RecordState =
  | { readonly state: 'absent' }
  | { readonly state: 'ok'; readonly record: AttachmentRecord }
  | { readonly state: 'unreadable'; readonly error: VmnError };

export interface RecordStore {
  /** All records by what they go by. Throws VMN_STATE_UNREADABLE when the folder itself cannot be read. */
  list(): Map<string, RecordState>;
  read(tap: string): RecordState;
  write(record: AttachmentRecord): void;
  /** Succeeds when there is none. */
  remove(tap: string): void;
}

function isRecordName(name: string): boolean {
  return isTapName(name) || isCardKey(name);
}

/** What every version of the record says, whatever else it does. */
const writtenSchema = z.object({ version: z.int() });

/** Sound, and not for this agent to read: what it does not know of it might be what keeps its VM closed. */
class OtherVersionError extends Error {
  constructor(version: number) {
    super(
      `it was written in version ${version} of its format by another agent; this one reads version ${VERSION}`,
    );
  }
}

const envelopeSchema = z.strictObject({ checksum: z.string(), record: z.unknown() });

/** Text of a record file. */
export function serializeRecord(record: AttachmentRecord): string {
  return `${JSON.stringify({ checksum: checksum(record), record }, null, 2)}\n`;
}

/** The inverse; throws an ordinary error that says what is wrong. */
export function parseRecord(text: string, tap: string): AttachmentRecord {
  const envelope = envelopeSchema.parse(JSON.parse(text));
  if (checksum(envelope.record) !== envelope.checksum) throw new Error('checksum does not match');
  const written = writtenSchema.safeParse(envelope.record).data?.version;
  if (written !== undefined && written !== VERSION) throw new OtherVersionError(written);
  const record = recordSchema.parse(envelope.record);
  if (record.tap !== tap) throw new Error(`it is the record of ${record.tap}`);
  return record;
}

const RUN_THE_OTHER =
  'Run an agent of the version that wrote it, or stop the VM and remove the file; the VM stays denied meanwhile.';

function checksum(record: unknown): string {
  return createHash('sha256').update(JSON.stringify(record)).digest('hex');
}

/**
 * A file that has not changed for so long cannot have changed since it was read without its time telling: times of files are
 * coarse, and two writes may have the same one. ms.
 */
const SETTLED_MS = 2000;

interface ReadRecord {
  /** Inode, size, and the time of the last change, which nobody can set. */
  readonly version: string;
  readonly state: RecordState;
}

/**
 * Records as files in `dir`, mode 0600 in a folder of mode 0700, made on the first write. They are listed several times in each
 * pass: a file is read again when it is another one or has changed.
 */
export class RecordFolder implements RecordStore {
  readonly #dir: string;
  readonly #nowMs: () => number;
  readonly #settled = new Map<string, ReadRecord>();

  constructor(dir: string, nowMs: () => number = () => Date.now()) {
    this.#dir = dir;
    this.#nowMs = nowMs;
  }

  list(): Map<string, RecordState> {
    const states = new Map<string, RecordState>();
    for (const name of this.#names()) {
      const tap = name.slice(0, -'.json'.length);
      if (name.endsWith('.json') && isRecordName(tap)) states.set(tap, this.#unlessSettled(tap));
    }
    for (const tap of this.#settled.keys()) if (!states.has(tap)) this.#settled.delete(tap);
    return states;
  }

  read(tap: string): RecordState {
    const path = this.#path(tap);
    try {
      return { state: 'ok', record: parseRecord(readFileSync(path, 'utf8'), tap) };
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return { state: 'absent' };
      const error = new VmnError('VMN_STATE_UNREADABLE', {
        attempted: 'read the record',
        on: path,
        ...(cause instanceof OtherVersionError ? { remedy: RUN_THE_OTHER } : {}),
        cause: brief(cause),
      });
      return { state: 'unreadable', error };
    }
  }

  write(record: AttachmentRecord): void {
    const path = this.#path(record.tap);
    try {
      writeFileAtomically(path, serializeRecord(record));
    } catch (cause) {
      throw new VmnError('VMN_STATE_UNREADABLE', {
        attempted: 'write the record',
        on: path,
        remedy: 'Check that --state-dir is writable and has space left.',
        cause,
      });
    }
  }

  remove(tap: string): void {
    const path = this.#path(tap);
    try {
      rmSync(`${path}.new`, { force: true });
      rmSync(path, { force: true });
      syncFolder(this.#dir);
      // The last one takes the folder with it.
      if (this.#names().length === 0) rmdirSync(this.#dir);
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return;
      throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'remove the record', on: path, cause });
    }
  }

  #unlessSettled(tap: string): RecordState {
    const before = statOf(this.#path(tap));
    const version = before === null ? '' : `${before.ino} ${before.size} ${before.ctimeNs}`;
    const known = this.#settled.get(tap);
    if (known?.version === version) return known.state;
    this.#settled.delete(tap);
    const state = this.read(tap);
    const isSettled = before !== null && this.#nowMs() - Number(before.ctimeMs) > SETTLED_MS;
    if (isSettled && state.state === 'ok') this.#settled.set(tap, { version, state });
    return state;
  }

  #path(tap: string): string {
    return join(this.#dir, `${tap}.json`);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#dir);
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return [];
      throw new VmnError('VMN_STATE_UNREADABLE', { attempted: 'list the records', on: this.#dir, cause });
    }
  }
}

/** Null when it cannot be told: reading it tells why. */
function statOf(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return null;
  }
}

/** zod's errors are many lines of JSON; one line is enough in a status. */
function brief(cause: unknown): unknown {
  if (!(cause instanceof z.ZodError)) return cause;
  const issue = cause.issues[0];
  return new Error(issue === undefined ? 'not a record' : `${issue.path.join('.')}: ${issue.message}`);
}
