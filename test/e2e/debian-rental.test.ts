/**
 * A real Debian that `vmnetctl run` rents out under an agent: the story of `make demo-wireguard`, and then what happens to a tunnel in its
 * life. One guest; the tests go on where the one before left them, and far ends are looked at after each.
 */
import { afterAll, beforeAll, expect } from '@jest/globals';
import { Ledger, type Line } from '../../demo/scenario/ledger.ts';
import { SILENT } from '../../demo/scenario/narrator.ts';
import { PLACES, VM } from '../../demo/scenario/places.ts';
import { readCounts, since } from '../../demo/scenario/counters.ts';
import { attachedAt } from '../../demo/scenario/adoption.ts';
import type { Scene } from '../../demo/wireguard/scene.ts';
import { STEPS, tellStory } from '../../demo/wireguard/story.ts';
import { nothingElse, tunnelCarries } from '../../demo/wireguard/tunnel-facts.ts';
import { CONSUMER_INSIDE } from '../support/debian-guest/consumer-tunnel.ts';
import { ensureDebianImage } from '../support/debian-guest/image.ts';
import { ensureImage } from '../support/guest/index.ts';
import { Lab, poll } from '../support/lab/index.ts';
import { DEBIAN_NEEDS } from '../support/debian-guest/needs.ts';
import { requires } from '../support/skip.ts';

/** A cold cache, then a boot under emulation. */
const STORY_TIMEOUT_MS = 600_000;
const EVENT_TIMEOUT_MS = 120_000;
const BOOT_DEADLINE_MS = 280_000;
const RESTART_TIMEOUT_MS = BOOT_DEADLINE_MS + EVENT_TIMEOUT_MS;

const { describe, test } = requires(...DEBIAN_NEEDS);

describe('a real Debian rented out under an agent', () => {
  const ledger = new Ledger();
  let lab: Lab;
  let scene: Scene | undefined;
  let failure: Error | null = null;

  beforeAll(async () => {
    const [debian, small] = [await ensureDebianImage(), await ensureImage()];
    lab = await Lab.create('rented');
    try {
      scene = await tellStory({ lab, debian, small, ledger, narrator: SILENT });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error)); // every test below then says so
    }
  }, STORY_TIMEOUT_MS);
  afterAll(async () => {
    await lab?.close();
  }, 60_000);

  const wrong = (lines: readonly Line[]): string[] =>
    lines
      .filter(({ faults }) => faults.length > 0)
      .map((line) => `${line.attempt}: ${line.faults.join('; ')}`);
  function opened(): Scene {
    if (failure !== null || scene === undefined) throw failure ?? new Error('the story was not told');
    return scene;
  }
  const inLine = (step: string, atLeast: number): void => {
    opened();
    const lines = ledger.lines.filter((line) => line.step === step);
    expect(wrong(lines)).toEqual([]);
    expect(lines.length).toBeGreaterThanOrEqual(atLeast);
  };
  /** The tunnel carries again, and nothing came to any far end that is not of it. */
  async function recovers(after: string, deadlineMs?: number): Promise<void> {
    const lines = [
      await tunnelCarries(opened(), 'event', after, deadlineMs),
      await nothingElse(opened(), 'event', `anything but the tunnel: ${after}`),
    ];
    expect(wrong(lines)).toEqual([]);
  }
  /** The guest sends all the time, as one does who works in it. */
  const keepSending = (): Promise<string> =>
    opened().subject.guest.must(
      `(ping -n -i 0.5 ${CONSUMER_INSIDE} >/dev/null 2>&1 & echo $! >/run/sending)`,
    );
  const stopSending = (): Promise<unknown> => opened().subject.guest.run('kill $(cat /run/sending)');
  const pings = (): Promise<boolean> =>
    opened()
      .subject.guest.run(`ping -n -c 1 -W 1 ${CONSUMER_INSIDE}`)
      .then(({ code }) => code === 0);

  test('[E2E-1] [CI-6] the tunnel of the seed comes up, wg shows it on both ends, and the tenant is honoured', () => {
    inLine(STEPS.booted, 7);
  });

  test('[E2E-4] root takes firewall and tunnel down and reaches nothing, every drop counted by its reason', () => {
    inLine(STEPS.attacked, 70);
  });

  test('[E2E-1] firewall and tunnel are started again, and the tunnel is back', () => {
    inLine(STEPS.restored, 4);
  });

  test(
    '[E2E-5] the consumer restarts: its sessions are gone, and the guest makes another',
    async () => {
      await keepSending();
      const { tunnel, publicKey } = opened();
      await tunnel.end();
      await tunnel.startAgain();
      expect(await tunnel.handshake(publicKey)).toBe(0);
      await recovers('the consumer restarted');
      expect(await tunnel.handshake(publicKey)).toBeGreaterThan(0);
    },
    EVENT_TIMEOUT_MS,
  );

  test(
    "[E2E-5] the host's uplink loses its carrier and gets it back",
    async () => {
      await opened().world.flapUplink(async () => {
        expect(await pings()).toBe(false);
      });
      await recovers('the uplink flapped');
    },
    EVENT_TIMEOUT_MS,
  );

  test(
    '[E2E-5] the agent is killed: the tunnel does not notice, and the next agent adopts the filter',
    async () => {
      const { provider, subject } = opened();
      const before = attachedAt(subject.pinDir);
      await provider.killAgent();
      expect(await pings()).toBe(true);
      await provider.startAgent();
      await provider.attachment(VM, 'Enforced', ({ state }) => state === 'Enforced');
      expect(attachedAt(subject.pinDir)).toEqual(before);
      expect(await pings()).toBe(true);
      await recovers('the agent was killed');
    },
    EVENT_TIMEOUT_MS,
  );

  test(
    '[E2E-5] the consumer moves: the old address is refused at once, and the guest does not know the new one',
    async () => {
      const { provider, tunnel, world, subject, rental } = opened();
      const to = PLACES.secondConsumer;
      const generation = (await provider.attachment(VM, 'Enforced', () => true)).enforced?.generation ?? 0;
      const before = readCounts(subject.pinDir, 'from-vm');
      await world.newArrivals();
      opened().rental = { ...rental, endpoint: to };
      provider.manifests.apply(opened().rental);
      await provider.attachment(
        VM,
        'Enforced with the new endpoint',
        ({ enforced }) => (enforced?.generation ?? 0) > generation,
      );
      await world.agree(to);
      await tunnel.end();
      await tunnel.startAgain({ namespace: world.secondConsumer, port: to.port });
      // It tries the old address for as long as it runs.
      const refused = (): boolean =>
        (since(before, readCounts(subject.pinDir, 'from-vm')).get('DestinationAddress') ?? 0) > 0;
      await poll('the old address to be refused', refused, { deadlineMs: 30_000 });
      expect(await pings()).toBe(false);
      // Nor can the consumer call: nobody but the VM opens a way into its tap.
      expect((await tunnel.namespace.exec(['ping', '-n', '-c', '1', '-W', '2', '10.99.0.2'])).code).not.toBe(
        0,
      );
      expect(wrong([await nothingElse(opened(), 'event', 'anything, while the consumer moves')])).toEqual([]);
      await stopSending();
    },
    EVENT_TIMEOUT_MS,
  );

  test(
    '[E2E-5] the VM is restarted by vmnetctl run: it has the same key, and calls the new address',
    async () => {
      const scene = opened();
      const instance = await scene.subject.guest.must('cat /run/cloud-init/.instance-id');
      await scene.startAgain();
      await recovers('the VM was restarted', BOOT_DEADLINE_MS);
      expect(await scene.subject.guest.must('cat /run/cloud-init/.instance-id')).toBe(instance);
      expect(await scene.tunnel.handshake(scene.publicKey)).toBeGreaterThan(0);
      expect(await scene.subject.guest.must('wg show wg0 endpoints')).toContain(
        `${PLACES.secondConsumer.address}:${String(PLACES.secondConsumer.port)}`,
      );
    },
    RESTART_TIMEOUT_MS,
  );
});
