/** The tiers of the tests, by the privilege that each needs. test/README.md is their description in words. */

export interface Tier {
  name: string;
  /** Folders below test/. Every folder there that holds tests belongs to exactly one tier (a test checks it). */
  folders: readonly string[];
  needsRoot: boolean;
  /**
   * Files at a time: a number, or a share of the cores. One where they share the machine's network and would measure
   * each other; more than there are cores where they mostly wait.
   */
  workers: number | `${number}%`;
  /** Files that take longest, where several run at a time: they start first, or the others wait for them at the end. */
  longest?: readonly string[];
  /** Of its files so many run at once at most, each in a lane of its own (lane.ts) where the machine has lanes. */
  lanes?: number;
  /** Files that see beyond their lane, such as all BPF objects of the kernel: no other runs meanwhile. */
  alone?: readonly string[];
  /** Brings what a file downloads, for a lane has no way to the mirror. What cannot be had is skipped there, with its reason. */
  downloads?: Readonly<Record<string, () => Promise<unknown>>>;
  /** Its files share one kube-apiserver, which is built and started before the first of them. */
  controlPlane?: boolean;
  /** For one test, where the test itself names no other. */
  testTimeoutMs: number;
  /** For the whole tier; past it the run is ended and counts as failed. */
  deadlineMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const TIERS: readonly Tier[] = [
  {
    name: 'unit',
    folders: ['unit', 'property', 'contract'],
    needsRoot: false,
    workers: '100%',
    testTimeoutMs: 30 * SECOND,
    deadlineMs: 10 * MINUTE,
  },
  {
    name: 'native',
    folders: ['native'],
    needsRoot: false,
    workers: 1,
    testTimeoutMs: 2 * MINUTE,
    deadlineMs: 10 * MINUTE,
  },
  {
    name: 'kernel',
    folders: ['kernel'],
    needsRoot: true,
    workers: 1,
    lanes: 2,
    longest: [
      ...['native-upgrade', 'uninstall', 'kill-agent', 'native-crash', 'upgrade', 'contract/crash-points'],
      ...['policy-change', 'found-vms', 'cli-run', 'contract/rows', 'reference-bpf', 'guard-races'],
    ],
    alone: ['native-leaks'],
    downloads: {
      'guest-firewall': async () =>
        (await import('../../test/support/cloud-init/iptables.ts')).LegacyIptables.find(),
    },
    testTimeoutMs: 1 * MINUTE,
    deadlineMs: 30 * MINUTE,
  },
  {
    name: 'kernels',
    folders: ['kernels'],
    needsRoot: false,
    workers: 1,
    testTimeoutMs: 1 * MINUTE,
    deadlineMs: 20 * MINUTE,
  },
  {
    name: 'control-plane',
    folders: ['control-plane'],
    needsRoot: false,
    // Mostly waiting for back-offs, Leases and watches.
    workers: 4,
    longest: ['faults', 'refused-writes', 'recovery', 'binding', 'crd-deleted', 'leader', 'staleness'],
    controlPlane: true,
    testTimeoutMs: 1 * MINUTE,
    deadlineMs: 15 * MINUTE,
  },
  {
    name: 'control-plane-agent',
    folders: ['control-plane-agent'],
    needsRoot: true,
    workers: 1,
    lanes: 2,
    longest: ['outage', 'contract', 'bench'],
    controlPlane: true,
    testTimeoutMs: 2 * MINUTE,
    deadlineMs: 15 * MINUTE,
  },
  {
    name: 'e2e',
    folders: ['e2e'],
    needsRoot: true,
    workers: 1,
    controlPlane: true,
    testTimeoutMs: 5 * MINUTE,
    deadlineMs: 25 * MINUTE,
  },
];

export function tierNamed(name: string): Tier | undefined {
  return TIERS.find((tier) => tier.name === name);
}

/** The tier's files in the order in which they start. */
export function startOrder({ longest = [] }: Tier, files: readonly string[]): string[] {
  const first = named(files, longest);
  return [...first, ...files.filter((file) => !first.includes(file))];
}

/** Those of the files that have one of the names, in the order of the names. */
export function named(files: readonly string[], names: readonly string[] = []): string[] {
  return names.flatMap((name) => files.filter((file) => file.endsWith(`/${name}.test.ts`)));
}
