import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { wireGuardKeySchema, type WireGuardKey } from '../../api/v1alpha1/wireguard-key.ts';
import { VmnError } from '../../lib/errors.ts';
import { generateTunnelKeyPair, publicKeyOf } from '../../wireguard/key-pair.ts';
import { syncFolder } from '../host/atomic-file.ts';
import { errnoOf } from '../host/errno.ts';

/*
 * Theory of operation
 *
 * The private key of a VM lies in one file of its host, from the VM's first start until its record ends, and in the seed
 * image while the VM runs. Whoever has it can be the VM. So the file is of root alone, in a folder of root alone; what is
 * found otherwise may have been read or put there by somebody else, and is an error that a person has to look at.
 *
 * A key comes into being under `PATH.new` and gets its name by link(2), which replaces nothing. A kill leaves no key, one
 * that nobody was told of yet, or the whole one. All calls are made under the state lock.
 */

/** The VM's end of the tunnel. */
export interface GuestKey {
  /** Base64, as `wg genkey` prints it. Secret. */
  readonly privateKey: WireGuardKey;
  readonly publicKey: WireGuardKey;
}

const fileSchema = z.strictObject({
  version: z.literal(1),
  publicKey: wireGuardKeySchema,
  privateKey: wireGuardKeySchema,
});
/** Bytes; what we write has 146. */
const LONGEST = 512;

/**
 * The pair in the file at `path`, made if there is no file. One that is damaged, or could be read by others, is never replaced:
 * the consumer knows the VM by it. Throws VMN_STATE_UNREADABLE, which quotes nothing of the file.
 */
export function loadGuestKey(path: string): GuestKey {
  const found = readGuestKey(path);
  if (found !== null) return found;
  try {
    return makeGuestKey(path);
  } catch (cause) {
    const remedy = 'Check that --state-dir is writable and has space left.';
    throw new VmnError('VMN_STATE_UNREADABLE', {
      attempted: "keep the VM's private key",
      on: path,
      remedy,
      cause,
    });
  }
}

/**
 * Overwrites the key at `path` and removes it; succeeds when there is none. What a file system or a disk keeps of overwritten
 * blocks is not in our hands. Throws VMN_STATE_UNREADABLE.
 */
export function wipeGuestKey(path: string): void {
  try {
    for (const one of [nextKeyOf(path), formerKeyOf(path), path]) {
      wipeFile(`${one}.new`);
      wipeFile(one);
    }
    removeFolderIfEmpty(dirname(path));
  } catch (cause) {
    throw new VmnError('VMN_STATE_UNREADABLE', {
      attempted: "wipe the VM's private key",
      on: path,
      remedy: 'Make it writable, or remove it by hand; the record of the VM stays until then.',
      cause,
    });
  }
}

/** Where the pair lies that is to follow the one at `path`; see key-rotation.ts. */
export function nextKeyOf(path: string): string {
  return `${path}.next`;
}

/** A second name of the pair that is being retired, until it is wiped. */
export function formerKeyOf(path: string): string {
  return `${path}.former`;
}

/** Null: there is none. Throws VMN_STATE_UNREADABLE, which quotes nothing of the file. */
export function readGuestKey(path: string): GuestKey | null {
  try {
    demandOwnFolder(dirname(path));
    // Not to hang on a pipe that somebody put there.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return readFrom(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    throw new VmnError('VMN_STATE_UNREADABLE', {
      attempted: "read the VM's private key",
      on: path,
      remedy:
        'Restore the file (mode 0600, of root), or remove it: the next start of the VM makes another key, and its consumer has to be given the new public key.',
      cause,
    });
  }
}

function readFrom(file: number): GuestKey {
  const { mode, uid, size } = fstatSync(file);
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new Error('it is no regular file');
  if ((mode & 0o7777) !== 0o600) throw new Error(`its mode is ${(mode & 0o7777).toString(8)}, not 600`);
  if (uid !== process.geteuid?.()) throw new Error(`its owner is uid ${uid}`);
  if (size === 0 || size > LONGEST) throw new Error(`it has ${size} bytes`);
  const bytes = readFileSync(file);
  try {
    return parse(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Errors quote nothing of the file. */
function parse(bytes: Buffer): GuestKey {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Error('it is not JSON');
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw new Error('it is not what vmnetctl writes');
  const { privateKey, publicKey } = parsed.data;
  const raw = Buffer.from(privateKey, 'base64');
  try {
    if (publicKeyOf(raw) !== publicKey) throw new Error('the two halves in it are no pair');
  } finally {
    raw.fill(0);
  }
  return { privateKey, publicKey };
}

function makeGuestKey(path: string): GuestKey {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  demandOwnFolder(folder);
  const unnamed = `${path}.new`;
  wipeFile(unnamed);
  const { privateKey, publicKey } = generateTunnelKeyPair();
  const text = Buffer.from(
    `${JSON.stringify({ version: 1, publicKey, privateKey: privateKey.toString('base64') })}\n`,
  );
  privateKey.fill(0);
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = openSync(unnamed, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      fchmodSync(file, 0o600); // whatever the umask took away
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(unnamed, path);
    rmSync(unnamed);
    syncFolder(folder);
    return parse(text);
  } finally {
    text.fill(0);
  }
}

function demandOwnFolder(folder: string): void {
  const { mode, uid } = lstatSync(folder);
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) throw new Error(`${folder} is no folder`);
  if ((mode & 0o077) !== 0)
    throw new Error(`${folder} is open to others: its mode is ${(mode & 0o7777).toString(8)}`);
  if (uid !== process.geteuid?.()) throw new Error(`the owner of ${folder} is uid ${uid}`);
}

/** Overwrites and removes; succeeds when there is nothing. Throws what the system calls throw. */
export function wipeFile(path: string): void {
  try {
    const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { mode, size } = fstatSync(file);
      const isOurs = (mode & constants.S_IFMT) === constants.S_IFREG && size <= LONGEST;
      if (isOurs) writeSync(file, Buffer.alloc(size), 0, size, 0);
      if (isOurs) fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') return;
    // A link, or a pipe that nobody reads: no key of ours is in it.
    if (errno !== 'ELOOP' && errno !== 'ENXIO') throw cause;
  }
  rmSync(path, { force: true });
  syncFolder(dirname(path));
}

function removeFolderIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (cause) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(cause) ?? '')) throw cause;
  }
}
