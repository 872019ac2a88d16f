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
    testTimeoutMs: 1 * MINUTE,
    deadlineMs: 20 * MINUTE,
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
    workers: 3,
    controlPlane: true,
    testTimeoutMs: 1 * MINUTE,
    deadlineMs: 15 * MINUTE,
  },
  {
    name: 'control-plane-agent',
    folders: ['control-plane-agent'],
    needsRoot: true,
    workers: 1,
    controlPlane: true,
    testTimeoutMs: 2 * MINUTE,
    deadlineMs: 15 * MINUTE,
  },
  {
    name: 'e2e',
    folders: ['e2e'],
    needsRoot: true,
    workers: 1,
    testTimeoutMs: 5 * MINUTE,
    deadlineMs: 25 * MINUTE,
  },
];

export function tierNamed(name: string): Tier | undefined {
  return TIERS.find((tier) => tier.name === name);
}
