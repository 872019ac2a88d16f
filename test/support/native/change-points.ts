import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Namespace } from '../lab/index.ts';
import { startChild } from './child.ts';

/** One system call of a run that changes something outside of the process: the nth of its name. */
export interface ChangePoint {
  call: string;
  nth: number;
  /** As strace shows it, for titles and messages. */
  text: string;
}

/** Calls by which filters come and go. Netlink requests are `sendto`. */
const CALLS = ['bpf', 'sendto', 'mkdir', 'rename', 'rmdir', 'unlink'];
/** Of bpf(2): what can be seen from outside once it is done. Loading and looking cannot. */
const BPF_CHANGES = /BPF_(OBJ_PIN|MAP_UPDATE_ELEM|MAP_DELETE_ELEM|LINK_CREATE|LINK_UPDATE)/;
/** Where Node keeps, at its end, what it has stripped of types: no change of the code's. */
const COMPILED = process.env['NODE_COMPILE_CACHE'];
/** RTM_NEWQDISC, RTM_NEWTFILTER, RTM_DELTFILTER: strace does not always know which family a socket is of. */
export const TC_CHANGES = /RTM_(NEWQDISC|NEWTFILTER|DELTFILTER)|nlmsg_type=0x(24|2c|2d)\b/;

/**
 * Runs the code once under strace and lists its calls that changed something, in order. `since`: only those after the
 * first call that matches, in a run whose start is of no interest.
 */
export async function changePoints(
  namespace: Namespace,
  code: string,
  since: RegExp,
): Promise<ChangePoint[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vmn-strace-'));
  const log = join(folder, 'log');
  try {
    const trace = ['strace', '-f', '-qq', '-o', log, '-e', `trace=${CALLS.join(',')}`];
    const child = startChild(namespace, code, trace);
    if ((await child.end()) !== 0) throw new Error('the run to be interrupted fails by itself');
    return pointsIn(readFileSync(log, 'utf8').split('\n'), since);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function pointsIn(lines: readonly string[], since: RegExp): ChangePoint[] {
  const points: ChangePoint[] = [];
  const seen = new Map<string, number>();
  let begun = false;
  for (const line of lines) {
    const [, call, text] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
    if (call === undefined || text === undefined) continue;
    const nth = (seen.get(call) ?? 0) + 1;
    seen.set(call, nth);
    begun ||= since.test(text);
    if (begun && changes(call, text)) points.push({ call, nth, text: text.slice(0, 120) });
  }
  return points;
}

function changes(call: string, text: string): boolean {
  if (/ = -1 E\w+ /.test(text)) return false;
  if (COMPILED !== undefined && text.includes(COMPILED)) return false;
  if (call === 'bpf') return BPF_CHANGES.test(text);
  if (call === 'sendto') return TC_CHANGES.test(text);
  return true;
}

/** Runs the code until it enters that call: SIGKILL, before the call does anything. False when it never came there. */
export async function killedAt(namespace: Namespace, point: ChangePoint, code: string): Promise<boolean> {
  const { call, nth } = point;
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${String(nth)}`];
  const child = startChild(namespace, code, ['strace', '-f', '-qq', '-o', '/dev/null', ...inject]);
  return (await child.end()) !== 0;
}
