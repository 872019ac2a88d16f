import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeAddon } from '../../../src/native/addon.ts';
import { POLICY_BYTES, POLICY_LAYOUT } from '../../../src/native/policy-abi.ts';

/*
 * Another version of this project, with another ABI: the sources of this one with other numbers and other places, built as any
 * checkout is. What it pins it really pins, and its agent really is one. Built once, and again when a source has changed.
 */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const VERSIONS = join(ROOT, 'build/other-versions');
const SOURCES = ['bin', 'bpf', 'native', 'package.json', 'src'];
/** Of native: the tests and benchmarks of the filter are not built. */
const LEFT_OUT = ['native/bench', 'native/fuzz', 'native/test'];

/** In a file, each of these texts, which must be there, and what stands in its place. */
type Edits = Readonly<
  Record<string, readonly (readonly [RegExp, string | ((...found: string[]) => string)])[]>
>;

const MORE_BYTES = 32;

/** What is different in its policies. `newer`: more is in them. `older`: as much, in other places. */
export const OTHER_VERSIONS = {
  newer: { abi: 77, policyBytes: POLICY_BYTES + MORE_BYTES },
  older: { abi: 1, policyBytes: POLICY_BYTES },
} as const;
export type OtherKind = keyof typeof OTHER_VERSIONS;

/** Optimised less, for it is built in the midst of a test run. */
const QUICK: Edits = { 'native/CMakeLists.txt': [[/"-O2 -g"/g, '"-O1"']] };

const EDITS: Readonly<Record<OtherKind, Edits>> = {
  newer: {
    ...QUICK,
    'native/include/vmn/abi.h': [
      [/(#define VMN_POLICY_ABI) \d+/, '$1 77'],
      [/(struct vmn_policy \{\n\t__u32 abi;\n\t__u32 flags;\n)/, '$1\t__u64 newer[4];\n'],
      [/(sizeof\(struct vmn_policy\) ==) \d+/, `$1 ${POLICY_BYTES + MORE_BYTES}`],
      [/(VMN_AT\(vmn_policy, \w+, )(\d+)/g, (_, head, at) => `${head}${moved(Number(at))}`],
      [/(struct vmn_state \{\n)/, '$1\t__u64 newer;\n'],
      [/sizeof\(struct vmn_state\) == 56/, 'sizeof(struct vmn_state) == 64'],
      [/(VMN_AT\(vmn_state, violations,) 24/, '$1 32'],
      [/(struct vmn_tunnel \{\n)/, '$1\t__u64 newer;\n'],
      [/sizeof\(struct vmn_tunnel\) == 120/, 'sizeof(struct vmn_tunnel) == 128'],
      [/(VMN_AT\(vmn_tunnel, \w+, )(\d+)/g, (_, head, at) => `${head}${Number(at) + 8}`],
      [/(#define VMN_COUNTER_SLOTS) \(4/, '$1 (5'],
      [/(__u8 head\[VMN_EVENT_HEAD_BYTES\];.*\n)/, '$1\t__u64 newer;\n'],
      [/sizeof\(struct vmn_event\) == 96/, 'sizeof(struct vmn_event) == 104'],
    ],
    'native/linux/policy.h': [[/(VMN_POLICY_BYTES) \d+/, `$1 ${POLICY_BYTES + MORE_BYTES}`]],
    'src/native/policy-abi.ts': [
      [/(POLICY_BYTES =) 136/, '$1 168'],
      [/(POLICY_ABI =) \d+/, '$1 77'],
      [
        /(POLICY_LAYOUT = \{\n)([^}]*)/,
        (_, head, lines) => head + lines.replace(/: (\d+),/g, (__, at) => `: ${moved(Number(at))},`),
      ],
    ],
    'src/native/events.ts': [[/(EVENT_BYTES =) 96/, '$1 104']],
  },
  older: {
    ...QUICK,
    'native/include/vmn/abi.h': [
      [/(#define VMN_POLICY_ABI) \d+/, '$1 1'],
      [/(\tstruct vmn_endpoint endpoint;\n)(\tstruct vmn_endpoint previous;.*\n)/, '$2$1'],
      [/(VMN_AT\(vmn_policy, endpoint, )40/, '$148'],
      [/(VMN_AT\(vmn_policy, previous, )48/, '$140'],
      [/(#define VMN_STATE_ABI) \d+/, '$1 77'],
      [/(#define VMN_TUNNEL_ABI) \d+/, '$1 77'],
    ],
    'src/native/policy-abi.ts': [
      [/(POLICY_ABI =) \d+/, '$1 1'],
      [/( {2}endpoint:) 40/, '$1 48'],
      [/( {2}previous:) 48/, '$1 40'],
    ],
  },
};

/** Where a field of the policy is in the newer version. */
function moved(offset: number): number {
  return offset < POLICY_LAYOUT.generation ? offset : offset + MORE_BYTES;
}

/** A policy as the other version writes it, from one of ours. */
export function policyOfOther(kind: OtherKind, ours: Uint8Array): Uint8Array {
  const { abi, policyBytes } = OTHER_VERSIONS[kind];
  const bytes = new Uint8Array(policyBytes);
  if (kind === 'newer') {
    bytes.set(ours.subarray(0, POLICY_LAYOUT.generation));
    bytes.set(ours.subarray(POLICY_LAYOUT.generation), moved(POLICY_LAYOUT.generation));
  } else {
    const { endpoint, previous, previous_until_ns: after } = POLICY_LAYOUT;
    bytes.set(ours);
    bytes.set(ours.subarray(previous, after), endpoint);
    bytes.set(ours.subarray(endpoint, previous), previous);
  }
  new Uint32Array(bytes.buffer, 0, 1)[0] = abi;
  return bytes;
}

export class OtherVersion {
  readonly kind: OtherKind;
  readonly #folder: string;

  private constructor(kind: OtherKind, folder: string) {
    this.kind = kind;
    this.#folder = folder;
  }

  /** Builds it if need be, which takes some ten seconds. */
  static async built(kind: OtherKind): Promise<OtherVersion> {
    mkdirSync(VERSIONS, { recursive: true });
    const folder = await locked(join(VERSIONS, `${kind}.lock`), () => build(kind, EDITS[kind]));
    return new OtherVersion(kind, folder);
  }

  get agent(): string {
    return join(this.#folder, 'bin/vmnet-agent');
  }

  /** Its addon, in this process. */
  addon(): NativeAddon {
    return createRequire(import.meta.url)(join(this.#folder, 'build/native/vmnet.node')) as NativeAddon;
  }
}

/** Test files that run side by side may want the same version. Who holds the lock is a process that ends with this one. */
async function locked<T>(path: string, work: () => T): Promise<T> {
  const holder = spawn('flock', [path, 'sh', '-c', 'echo held && cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const isHeld = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!isHeld) throw new Error(`${path} could not be locked`);
  try {
    return work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

function build(kind: OtherKind, edits: Edits): string {
  const folder = join(VERSIONS, kind);
  const sources = new Map(SOURCES.flatMap(filesBelow).map((path) => [path, readFileSync(join(ROOT, path))]));
  const wanted = fingerprint(sources, edits);
  const mark = join(folder, 'built-from');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return folder;
  rmSync(mark, { force: true });
  for (const [path, bytes] of sources)
    put(join(ROOT, path), join(folder, path), edited(path, bytes, edits[path]));
  for (const name of ['node_modules', '.tools']) link(join(ROOT, name), join(folder, name));
  const make = (...argv: string[]): void => {
    // Other tests run beside this one.
    execFileSync('nice', ['cmake', ...argv], { cwd: folder, stdio: 'pipe' });
  };
  make('-S', 'native', '-B', 'build/native', '-DCMAKE_BUILD_TYPE=Release');
  make('--build', 'build/native', '-j2', '--target', 'vmnet');
  writeFileSync(mark, wanted);
  return folder;
}

function filesBelow(path: string): string[] {
  if (LEFT_OUT.includes(path)) return [];
  if (!statSync(join(ROOT, path)).isDirectory()) return [path];
  return readdirSync(join(ROOT, path)).flatMap((name) => filesBelow(`${path}/${name}`));
}

function fingerprint(sources: ReadonlyMap<string, Uint8Array>, edits: Edits): string {
  const hash = createHash('sha256').update(Object.values(edits).flat(2).join());
  for (const [path, bytes] of sources) hash.update(`${path} ${String(bytes.length)} `).update(bytes);
  return hash.digest('hex');
}

function edited(path: string, bytes: Buffer, edits: Edits[string] = []): Buffer {
  if (edits.length === 0) return bytes;
  let text = bytes.toString('utf8');
  for (const [what, replacement] of edits) {
    const changed = text.replace(what, replacement as string);
    if (changed === text) throw new Error(`${path} has no ${String(what)} for another version to differ in`);
    text = changed;
  }
  return Buffer.from(text);
}

/** What has not changed keeps its time, and is not built again. */
function put(from: string, to: string, bytes: Uint8Array): void {
  if (existsSync(to) && readFileSync(to).equals(bytes)) return;
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, bytes, { mode: statSync(from).mode });
}

function link(from: string, to: string): void {
  rmSync(to, { force: true });
  symlinkSync(from, to);
}
