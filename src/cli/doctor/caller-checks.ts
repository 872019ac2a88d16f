import { isAtLeast } from '../../native/kernel-feature.ts';
import { NEEDED_CAPABILITIES } from '../../native/privilege.ts';
import { type Check, no, type Subject, unknown, yes } from './check.ts';

const CAP_SYS_ADMIN = 21;

const CAPABILITIES: readonly {
  readonly name: string;
  readonly bit: number;
  readonly subject: Omit<Subject, 'name'>;
}[] = [
  {
    name: 'CAP_BPF',
    bit: NEEDED_CAPABILITIES.CAP_BPF,
    subject: { purpose: 'loading the filter', needed: true },
  },
  {
    name: 'CAP_NET_ADMIN',
    bit: NEEDED_CAPABILITIES.CAP_NET_ADMIN,
    subject: { purpose: 'taps, routes, attaching the filter', needed: true },
  },
  {
    name: 'CAP_PERFMON',
    bit: NEEDED_CAPABILITIES.CAP_PERFMON,
    subject: { purpose: 'the filter: reads kernel memory', needed: true },
  },
  {
    name: 'CAP_SYS_PTRACE',
    bit: 19,
    subject: { purpose: 'seeing which process holds a tap', needed: true },
  },
  {
    name: 'CAP_SYS_ADMIN',
    bit: CAP_SYS_ADMIN,
    subject: { purpose: 'VMs in other network namespaces; mounting bpffs', needed: false },
  },
];

/** CAP_SYS_ADMIN stands for those that were split off from it. */
const SPLIT_OFF: readonly string[] = ['CAP_BPF', 'CAP_PERFMON'];

/** The caller's capabilities. @param status /proc/self/status */
export function capabilityChecks(status: string): Check[] {
  const text = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return CAPABILITIES.map(({ name, bit, subject }) => {
    const about = { name, ...subject };
    if (text === undefined) return unknown(about, '/proc/self/status does not tell', 'Mount /proc.');
    const has = (wanted: number): boolean => ((BigInt(`0x${text}`) >> BigInt(wanted)) & 1n) === 1n;
    if (has(bit)) return yes(about, 'in effect');
    if (SPLIT_OFF.includes(name) && has(CAP_SYS_ADMIN)) return yes(about, 'in effect by CAP_SYS_ADMIN');
    return no(about, 'not in effect', `Run as root, or grant ${name}.`);
  });
}

/** A few for each VM: its process, its monitor, its network namespace. */
const FEWEST_FILES = 1024;
/** From this kernel on BPF memory counts against the memory cgroup. */
const NO_MEMLOCK = '5.11';

/** The caller's limits. An agent has its own, by its unit or pod. @param limits /proc/self/limits */
export function limitChecks(limits: string, running: string): Check[] {
  return [openFiles(limits), lockedMemory(limits, running)];
}

function openFiles(limits: string): Check {
  const about = { name: 'RLIMIT_NOFILE', purpose: 'watching each VM', needed: true };
  const found = limitIn(limits, 'Max open files');
  if (found === null) return unknown(about, '/proc/self/limits does not tell', 'Mount /proc.');
  const detail = `${found === Infinity ? 'unlimited' : found} for this caller`;
  if (found >= FEWEST_FILES) return yes(about, detail);
  return no(about, detail, `Allow ${FEWEST_FILES} or more (LimitNOFILE= of the unit, ulimit -n).`);
}

function lockedMemory(limits: string, running: string): Check {
  const about = { name: 'RLIMIT_MEMLOCK', purpose: 'the maps of the filter', needed: false };
  if (isAtLeast(NO_MEMLOCK, running)) return yes(about, `without meaning for BPF since Linux ${NO_MEMLOCK}`);
  const found = limitIn(limits, 'Max locked memory');
  if (found === null) return unknown(about, '/proc/self/limits does not tell', 'Mount /proc.');
  if (found === Infinity) return yes(about, 'unlimited for this caller');
  const remedy = 'Allow it without limit (LimitMEMLOCK=infinity of the unit) if policies cannot be written.';
  return no(about, `${found} bytes for this caller`, remedy);
}

/** The soft one. */
function limitIn(limits: string, name: string): number | null {
  const line = limits.split('\n').find((text) => text.startsWith(name));
  const value = line?.slice(name.length).trim().split(/\s+/)[0];
  if (value === undefined) return null;
  return value === 'unlimited' ? Infinity : Number(value);
}
