/**
 * Loaded before an agent: ends it by SIGKILL between two of its changes of the machine. A file says after how many, as often as it is
 * written; empty or missing: never. What it changes it changes by the native addon, by files, by nft and by what it orders from
 * userspace engines, so that is where it is caught; the product knows nothing of it. Each change is told in the file beside it, before it is made.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { decodeHead, HEAD_BYTES, OPERATIONS } from '../../../src/native/nat-control-abi.ts';

const FILE = process.env['VMN_DIE_AT'] ?? '';
/** Of the addon: whatever is not here only looks. */
const CHANGES = new Set([
  ...['attachFilter', 'replaceFilter', 'writePolicy', 'removeFilter', 'createTap', 'persistTap', 'openTap'],
  ...['setLink', 'deleteLink', 'addRoute', 'deleteRoute', 'setNeighbour', 'deleteNeighbour'],
]);
const { readFileSync, appendFileSync } = fs;

let order = '';
let left = Number.POSITIVE_INFINITY;
let isSetting = false;

function readOrder(): string {
  try {
    return readFileSync(FILE, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Before a change, or where one that takes its time has begun. */
function boundary(action: string): void {
  const now = readOrder();
  if (now !== order) left = now === '' ? Number.POSITIVE_INFINITY : Number(now);
  order = now;
  // One action writes several settings.
  const goesOn = action === 'setting' && isSetting;
  isSetting = action === 'setting';
  if (order === '' || goesOn) return;
  if (left <= 0) {
    appendFileSync(`${FILE}.died`, `${action}\n`);
    process.kill(process.pid, 'SIGKILL');
  }
  left -= 1;
}

type Call = (...given: unknown[]) => unknown;

function mortal(addon: Record<string, Call>): Record<string, Call> {
  const wrapped = Object.entries(addon).map(([name, call]): [string, Call] => {
    if (!CHANGES.has(name)) return [name, call];
    return [
      name,
      (...given) => {
        boundary(name);
        return call(...given);
      },
    ];
  });
  return Object.fromEntries(wrapped);
}

type Load = (module: object, file: string, flags?: number) => void;
const load: Load = process.dlopen.bind(process);
process.dlopen = (module: object, file: string, flags?: number): void => {
  if (flags === undefined) load(module, file);
  else load(module, file, flags);
  const holder = module as { exports: Record<string, Call> };
  if (file.endsWith('vmnet.node')) holder.exports = mortal(holder.exports);
};

function caught(
  name: 'renameSync' | 'rmSync' | 'writeFileSync',
  action: (path: string) => string | null,
): void {
  const calls = fs as unknown as Record<string, Call>;
  const call = calls[name]!;
  calls[name] = (...given) => {
    const what = action(String(given[0]));
    if (what !== null) boundary(what);
    return call(...given);
  };
}
// A text is written beside the one that it replaces; that changes nothing until it is renamed.
caught('renameSync', () => 'rename');
caught('rmSync', (path) => (/\.(lock|new)$/.test(path) ? null : 'remove'));
caught('writeFileSync', (path) => (path.startsWith('/proc/sys/') ? 'setting' : null));

const start = childProcess.execFile as unknown as Call;
(childProcess as unknown as Record<string, Call>)['execFile'] = (...given) => {
  const isChange = String(given[0]).endsWith('nft') && !(given[1] as string[]).includes('list');
  if (isChange) boundary('nft');
  const child = start(...given);
  if (isChange) boundary('nft begun');
  return child;
};

const ORDERS = ['setPolicy', 'quarantine', 'deny', 'quit'] as const;
const sockets = net.Socket.prototype as unknown as Record<string, Call>;
const send = sockets['write']!;
sockets['write'] = function (this: net.Socket, ...given): unknown {
  const [bytes] = given;
  const head = Buffer.isBuffer(bytes) || bytes instanceof Uint8Array ? headOf(bytes) : null;
  const order = ORDERS.find((name) => OPERATIONS[name] === head?.operation);
  if (order !== undefined) boundary(`engine ${order}`);
  return send.apply(this, given);
};

function headOf(bytes: Uint8Array): ReturnType<typeof decodeHead> {
  return bytes.byteLength < HEAD_BYTES ? null : decodeHead(bytes.subarray(0, HEAD_BYTES));
}
syncBuiltinESMExports();
