import { CapturedFarEnd, macOf } from '../../../demo/scenario/far-end.ts';
import type { Line } from '../../../demo/scenario/ledger.ts';
import { Provider, reservePins } from '../../../demo/scenario/provider.ts';
import { World } from '../../../demo/scenario/world.ts';
import type { GuestImage } from '../guest/index.ts';
import { poll, type Lab, type Namespace } from '../lab/index.ts';
import { moveInto } from '../stage/own-namespace.ts';
import { openTap } from '../../../src/native/tap.ts';
import { closeSync, writeSync } from 'node:fs';
import { ethernet, EtherType } from '../frames/index.ts';

export const BRIDGE = 'br-e2e';

/**
 * The demo's world, with a bridge on the host as VM managers have it: somebody else is on it too, and hears what is flooded
 * there. With an agent in charge of another host this is a pod, as KubeVirt has one for each VM.
 *
 *     VM ── tap ── br-e2e ── neighbour on the bridge
 *                  host ── as in the demo
 */
export class FoundStage {
  readonly lab: Lab;
  readonly image: GuestImage;
  readonly world: World;
  readonly provider: Provider;
  readonly neighbour: Namespace;

  private constructor(lab: Lab, image: GuestImage, world: World, provider: Provider, neighbour: Namespace) {
    this.lab = lab;
    this.image = image;
    this.world = world;
    this.provider = provider;
    this.neighbour = neighbour;
  }

  /** `charge`: the agent that is in charge; or one is started on this host, which closes `taps`. */
  static async open(lab: Lab, image: GuestImage, charge: { taps: string } | Provider): Promise<FoundStage> {
    const world = await World.build(lab);
    const { host } = world;
    await host.run(['ip', 'link', 'add', BRIDGE, 'up', 'type', 'bridge']);
    const neighbour = await lab.namespace('neighbour');
    await lab.connect(host, neighbour, { nameA: 'to-neighbour', nameB: 'eth0' });
    await host.run(['ip', 'link', 'set', 'to-neighbour', 'master', BRIDGE]);
    const mac = await macOf(neighbour, 'eth0');
    world.add(await CapturedFarEnd.watch('neighbour on the bridge', neighbour, 'eth0', mac));
    const provider = charge instanceof Provider ? charge : await startAgent(lab, world, charge.taps);
    await world.newArrivals();
    return new FoundStage(lab, image, world, provider, neighbour);
  }

  /** What a tap in the bridge says when nothing guards it must arrive, or the silence of the others would mean nothing. */
  async bridgeIsHeard(): Promise<Line> {
    const { host } = this.world;
    await host.run(['ip', 'tuntap', 'add', 'open0', 'mode', 'tap']);
    await host.run(['ip', 'link', 'set', 'open0', 'master', BRIDGE, 'up']);
    const leave = moveInto(host);
    const fd = openTap('open0');
    leave();
    let frames = 0;
    const isForwarding = async (): Promise<boolean> => {
      writeSync(fd, GREETING);
      frames +=
        (await this.world.newArrivals()).find(({ at }) => at === 'neighbour on the bridge')?.frames ?? 0;
      return frames > 0;
    };
    const heard = await poll('a frame on the bridge', isForwarding, { deadlineMs: 5000 }).catch(() => false);
    closeSync(fd);
    await host.run(['ip', 'link', 'del', 'open0']);
    await this.world.newArrivals();
    return {
      ...{ step: 'control', attempt: 'a frame of a tap that nobody guards', expected: 'arrives' },
      ...{ seen: `${String(frames)} on the bridge`, reason: '', count: null },
      faults: heard ? [] : ['the neighbour on the bridge hears nothing at all'],
    };
  }
}

async function startAgent(lab: Lab, world: World, taps: string): Promise<Provider> {
  const provider = new Provider(world, reservePins(lab), ['--managed-interfaces', taps]);
  await provider.startAgent();
  return provider;
}

const GREETING = ethernet({
  destination: 'ff:ff:ff:ff:ff:ff',
  source: '52:54:00:e2:e4:ff',
  etherType: EtherType.arp,
  payload: new Uint8Array(46),
});
