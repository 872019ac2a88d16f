/** How loading and attaching the filter fail: what the kernel said, as what is missing and what to do about it. */
import { release } from 'node:os';
import { basename, dirname } from 'node:path';
import type { ErrorCode } from '../lib/errors.ts';
import { isBpffs } from './bpffs.ts';
import {
  CLSACT,
  isAtLeast,
  isRefusal,
  missingFeature,
  NEEDED_FEATURES,
  OLDEST_KERNEL,
  requirement,
  TCX,
} from './kernel-feature.ts';
import type { Attempt, Meaning, NativeFailure } from './native-failure.ts';
import { isConfidential, LOCKDOWN_REMEDY, missingCapabilities, privilegeRemedy } from './privilege.ts';

const BY_SYSCALL: Readonly<Record<string, ErrorCode>> = {
  'bpf(BPF_PROG_LOAD)': 'VMN_BPF_LOAD',
  bpf_object__open: 'VMN_BPF_LOAD',
  btf__load_vmlinux_btf: 'VMN_BPF_LOAD',
  'bpf(BPF_MAP_CREATE)': 'VMN_BPF_MAP',
  'bpf(BPF_MAP_UPDATE_ELEM)': 'VMN_BPF_MAP',
};

/** For bringing the filter into the kernel. */
export function loading(attempted: string): Attempt {
  return { code: 'VMN_BPF_LOAD', attempted, bySyscall: BY_SYSCALL, circumstances: lackOf };
}

/** For attaching it too. Which code a failure gets follows from what failed, not from who called. */
export function attaching(attempted: string, pinDir: string, ifindex: number): Attempt {
  return {
    code: 'VMN_BPF_ATTACH',
    attempted,
    on: `${basename(pinDir)}, ifindex ${ifindex}`,
    means: {
      ENODEV: { remedy: 'The interface is gone; create it again.' },
      EBUSY: { remedy: 'The pinned filter guards another interface: delete that one first.' },
      EROFS: { code: 'VMN_BPFFS_READ_ONLY' },
    },
    bySyscall: BY_SYSCALL,
    circumstances: (cause) =>
      isBpffs(dirname(pinDir)) ? (hookLack(cause) ?? lackOf(cause)) : { code: 'VMN_BPFFS_MISSING' },
  };
}

/** What attaching itself lacks, or what is in the way; undefined when it is neither. */
export function hookLack({ code, syscall }: NativeFailure): Meaning | undefined {
  const what = `${syscall} ${code}`;
  switch (what) {
    case 'bpf(BPF_LINK_CREATE) EINVAL':
      return { code: 'VMN_KERNEL_FEATURE', remedy: requirement(TCX) };
    case 'rtnetlink(RTM_NEWQDISC) ENOENT':
      return {
        code: 'VMN_KERNEL_FEATURE',
        remedy: requirement({ ...CLSACT, config: 'CONFIG_NET_SCH_INGRESS' }),
      };
    case 'rtnetlink(RTM_NEWTFILTER) ENOENT':
      return { code: 'VMN_KERNEL_FEATURE', remedy: requirement({ ...CLSACT, config: 'CONFIG_NET_CLS_BPF' }) };
    case 'rtnetlink(RTM_NEWQDISC) EEXIST':
      return {
        remedy: 'Remove the `ingress` qdisc: it stands where clsact belongs (tc qdisc del dev … ingress).',
      };
    case 'rtnetlink(RTM_NEWTFILTER) EINVAL':
      return {
        remedy:
          'Another kind of filter has priority 1 at this hook: remove it (tc filter show dev … ingress).',
      };
    default:
      return undefined;
  }
}

/** What this kernel lacks, or what withholds it from us; undefined when all is there. */
function lackOf(cause: NativeFailure): Meaning | undefined {
  const verifier = cause.syscall === 'bpf(BPF_PROG_LOAD)' && cause.code === 'EACCES';
  if (isRefusal(cause) && !verifier) return { code: 'VMN_CAPABILITY', remedy: privilegeRemedy() };
  if (!/^b(pf|tf)/.test(cause.syscall)) return undefined;
  const missing = missingFeature(Object.values(NEEDED_FEATURES));
  if (missing === NEEDED_FEATURES.kernelMemory) {
    if (missingCapabilities().length > 0) return { code: 'VMN_CAPABILITY', remedy: privilegeRemedy() };
    if (isConfidential()) return { code: 'VMN_KERNEL_FEATURE', remedy: LOCKDOWN_REMEDY };
  }
  if (missing !== null) return { code: 'VMN_KERNEL_FEATURE', remedy: requirement(missing) };
  if (isAtLeast(OLDEST_KERNEL)) return undefined;
  const remedy = `The filter requires Linux >= ${OLDEST_KERNEL}; this is Linux ${release()}.`;
  return { code: 'VMN_KERNEL_FEATURE', remedy };
}
