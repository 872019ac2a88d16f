/**
 * What the filter needs of the kernel, each found out by trying it. Nobody asks before something failed, or before
 * `vmnetctl doctor` is run: a version number proves nothing, distributions build kernels as they like.
 */
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { addon } from './addon.ts';
import { isNativeFailure, type NativeFailure } from './native-failure.ts';

/** Older kernels lack more than what is tried below. */
export const OLDEST_KERNEL = '5.10';

export interface KernelFeature {
  /** In a sentence: `<name> requires Linux >= 5.8`. */
  readonly name: string;
  readonly since: string;
  /** What a kernel must be built with. */
  readonly config: string;
  readonly attempt: () => void;
}

const KERNEL_TYPES = '/sys/kernel/btf/vmlinux';

/** Everything but the ways of attaching, in the order in which a lack shows. */
export const NEEDED_FEATURES = {
  bpf: {
    name: 'a program of the BPF type sched_cls',
    since: '4.1',
    config: 'CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_ACT',
    attempt: () => {
      addon().probeBpf();
    },
  },
  btf: {
    name: 'the kernel’s description of its own types (BTF)',
    since: '5.2',
    config: 'CONFIG_DEBUG_INFO_BTF',
    attempt: () => {
      if (!existsSync(KERNEL_TYPES)) throw new Error(`${KERNEL_TYPES} is missing`);
    },
  },
  mapInMap: {
    name: 'a BPF map of maps',
    since: '4.12',
    config: 'CONFIG_BPF_SYSCALL',
    attempt: () => {
      addon().probeMapInMap();
    },
  },
  ringBuffer: {
    name: 'a BPF ring buffer',
    since: '5.8',
    config: 'CONFIG_BPF_SYSCALL',
    attempt: () => {
      addon().probeRingBuffer();
    },
  },
  kernelMemory: {
    name: 'a BPF program that reads kernel memory',
    since: '5.5',
    config: 'CONFIG_BPF_EVENTS',
    attempt: () => {
      addon().probeKernelMemory();
    },
  },
} as const satisfies Record<string, KernelFeature>;

/** The two ways of attaching; one is enough. */
export const TCX: KernelFeature = {
  name: 'tcx',
  since: '6.6',
  config: 'CONFIG_NET_XGRESS',
  attempt: () => {
    addon().probeTcx();
  },
};
export const CLSACT: KernelFeature = {
  name: 'a BPF filter on a clsact qdisc',
  since: '4.5',
  config: 'CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF',
  attempt: () => {
    addon().probeClsact();
  },
};

/** What the feature fails with, or null: it is there. */
export function lack(feature: KernelFeature): Error | null {
  try {
    feature.attempt();
    return null;
  } catch (error) {
    return error instanceof Error || isNativeFailure(error) ? error : new Error(String(error));
  }
}

/** Whether we were not let, whatever the kernel can do. */
export function isRefusal(error: unknown): error is NativeFailure {
  return isNativeFailure(error) && (error.code === 'EPERM' || error.code === 'EACCES');
}

/** The first feature that is missing, not counting those that we may not try. */
export function missingFeature(features: Iterable<KernelFeature>): KernelFeature | null {
  for (const feature of features) {
    const error = lack(feature);
    if (error !== null && !isRefusal(error)) return feature;
  }
  return null;
}

/** No version is named that the filter does not run on. */
export function requirement({ name, since, config }: KernelFeature): string {
  const least = isAtLeast(since, OLDEST_KERNEL) ? OLDEST_KERNEL : since;
  return `${capitalised(name)} requires Linux >= ${least} built with ${config}; this is Linux ${release()}.`;
}

/** Whether this kernel is at least the version, such as `5.10`. */
export function isAtLeast(version: string, running: string = release()): boolean {
  const [wanted, found] = [version, running].map((text) =>
    text.split('.').map((part) => Number.parseInt(part, 10)),
  );
  const [major = 0, minor = 0] = found ?? [];
  const [wantedMajor = 0, wantedMinor = 0] = wanted ?? [];
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function capitalised(text: string): string {
  // tcx is a name.
  return text === TCX.name ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
