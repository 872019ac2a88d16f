/** Why this process may not use BPF, and what to grant: capabilities first, then what withholds it from those who have them. */
import { readFileSync } from 'node:fs';

/** Bits of the capability sets. CAP_PERFMON: the filter reads memory of the kernel. */
export const NEEDED_CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_PERFMON: 38, CAP_BPF: 39 } as const;
const CAP_SYS_ADMIN = 21;

/** What of this machine decides; read from /proc and /sys unless given. */
export interface Privileges {
  /** /proc/self/status */
  status: string;
  /** /sys/kernel/security/lockdown: `none [integrity] confidentiality`, or empty. */
  lockdown: string;
}

export function privileges(): Privileges {
  return { status: readText('/proc/self/status'), lockdown: readText('/sys/kernel/security/lockdown') };
}

/** Names of the needed capabilities that are not in effect. CAP_SYS_ADMIN stands for those that were split off from it. */
export function missingCapabilities({ status } = privileges()): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: number): boolean => ((effective >> BigInt(bit)) & 1n) === 1n;
  return Object.entries(NEEDED_CAPABILITIES)
    .filter(([name, bit]) => !has(bit) && (name === 'CAP_NET_ADMIN' || !has(CAP_SYS_ADMIN)))
    .map(([name]) => name);
}

/** Lockdown in its stricter form keeps programs from reading kernel memory, whoever loads them. */
export function isConfidential({ lockdown } = privileges()): boolean {
  return lockdown.includes('[confidentiality]');
}

/** What to do about an EPERM of bpf(2) or of netlink. */
export function privilegeRemedy(given = privileges()): string {
  const missing = missingCapabilities(given);
  if (missing.length > 0) return `Run as root, or grant ${missing.join(', ')}.`;
  if (isConfidential(given)) return LOCKDOWN_REMEDY;
  if (/^Seccomp:\s*2/m.test(given.status)) {
    return 'The capabilities are there; the seccomp profile of this container must allow bpf(2).';
  }
  return 'The capabilities are there: a security module (SELinux, AppArmor) or another user namespace withholds BPF.';
}

export const LOCKDOWN_REMEDY =
  'Boot with lockdown=integrity or without lockdown: in its mode “confidentiality” no program may read kernel memory.';

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
