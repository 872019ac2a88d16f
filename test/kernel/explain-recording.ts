import { capture, type Lab, type Namespace } from '../support/lab/index.ts';
import type { Explanation } from '../../src/cli/explain/judge/explanation.ts';
import { invoke } from '../unit/cli/invoke.ts';
import type { Outcome } from '../unit/cli/vmnetctl.ts';
import { rowsOf } from '../unit/cli/explain/rows.ts';

/** Where the guest of a recording lives; policy and options of `explain` say the same. */
export const SCENE = {
  guestMac: '02:76:aa:bb:cc:dd',
  guestAddress: '100.64.0.5',
  gatewayMac: '02:76:6d:6e:00:01',
  gatewayAddress: '169.254.1.1',
  consumer: '203.0.113.10',
  port: 51900,
  elsewhere: '198.51.100.53',
} as const;

/**
 * A guest and everything else, with one cable between them that tcpdump listens on, and no filter: what a guest's tools
 * say by themselves, and what the world answers, is recorded to be explained afterwards.
 */
export class Recording {
  readonly guest: Namespace;
  readonly world: Namespace;

  private constructor(guest: Namespace, world: Namespace) {
    this.guest = guest;
    this.world = world;
  }

  static async open(lab: Lab): Promise<Recording> {
    const guest = await lab.namespace('guest', { ipv6: true });
    const world = await lab.namespace('world');
    const { guestMac, gatewayMac, guestAddress, gatewayAddress, consumer, elsewhere } = SCENE;
    await lab.connect(guest, world, {
      nameA: 'eth0',
      nameB: 'tap',
      macA: guestMac,
      macB: gatewayMac,
      addressA: `${guestAddress}/32`,
      addressB: `${gatewayAddress}/32`,
    });
    await guest.run(['ip', 'route', 'add', 'default', 'via', gatewayAddress, 'dev', 'eth0', 'onlink']);
    await world.run(['ip', 'route', 'add', `${guestAddress}/32`, 'dev', 'tap']);
    for (const address of [consumer, elsewhere])
      await world.run(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
    // One frame, one packet, as a capture on a tap without offloads shows them.
    for (const [namespace, device] of [
      [guest, 'eth0'],
      [world, 'tap'],
    ] as const)
      await namespace.run(['ethtool', '-K', device, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off']);
    return new Recording(guest, world);
  }

  /** What passed the cable while `act` ran, as a file of tcpdump's. */
  async record(act: () => Promise<unknown>): Promise<string> {
    const seen = await capture(this.world, 'tap');
    await act();
    await seen.drain();
    await seen.stop();
    return this.world.scratchFile('tap.pcap');
  }
}

/** Source of the frames by which the lab knows that a capture is complete. */
const MARKER = '02:76:ee:ee:ee:ee';

export const GUEST_OPTIONS = ['--guest-mac', SCENE.guestMac, '--guest-address', SCENE.guestAddress] as const;

/** What `explain` says of each frame of the file, by each engine; the lab's own frames left out. */
export async function explained(
  pcap: string,
  policy: string,
  ...options: readonly string[]
): Promise<Outcome & { rows: Explanation[] }> {
  const outcome = await invoke([
    'explain',
    ...['--pcap', pcap, '--policy', policy, '-o', 'json', ...GUEST_OPTIONS, ...options],
  ]);
  return { ...outcome, rows: rowsOf(outcome.stdout).filter(({ sourceMac }) => sourceMac !== MARKER) };
}
