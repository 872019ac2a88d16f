/** A tap that moves between network namespaces takes its programs along, and meets those of the site where it comes to. */
import { writeSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { AttachmentStatus } from '../../src/agent/status/status.ts';
import type { Namespace } from '../support/lab/index.ts';
import { poll } from '../support/lab/index.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { openPod } from '../support/stage/pod.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, x } = RentalLab;
const TAP = 'mvd0';
const MAC = '52:54:00:dd:01:01';
/** Of a guest that never stops; what is asked in particular is sent from other ports. */
const INCESSANT = 42_000;
const ASKED = [43_001, 43_002, 43_003, 43_004];

describe('a tap that is moved to another namespace', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let pod: Namespace;
  let counters: Record<'a' | 'x', PortCounter>;
  let vm: FoundVm | null = null;
  let sender: NodeJS.Timeout | undefined;
  let round = 0;

  beforeAll(async () => {
    rental = await RentalLab.open('moved');
    const { consumerA, internet } = rental;
    const ports = Object.fromEntries(ASKED.map((port) => [String(port), port]));
    counters = {
      a: await PortCounter.place(consumerA, 'eth0', ports),
      x: await PortCounter.place(internet, 'eth0', {}),
    };
    pod = await openPod(rental);
    agent = rental.home.start(['--managed-interfaces', 'mvd*', '--resync-seconds', '3600']);
    await agent.until('the first pass', () => true);
  }, 60_000);
  afterEach(() => clearInterval(sender));
  afterAll(async () => {
    await vm?.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const move = (from: Namespace, to: Namespace): Promise<string> =>
    from.run(['ip', 'link', 'set', TAP, 'netns', to.path]);
  const arrived = async (at: 'a' | 'x', kind: string): Promise<number> =>
    (await counters[at].seen())[kind]?.packets ?? 0;
  /** Once its pins are of the site where it is by now. */
  const enforced = async (site: 'host' | 'pod'): Promise<AttachmentStatus> => {
    const isIt = ({ tap, state, pins }: AttachmentStatus): boolean =>
      tap === TAP && state === 'Enforced' && pins.startsWith('if-0-') === (site === 'host');
    const { attachments } = await agent.until(`it to be enforced in the ${site}`, (status) =>
      status.attachments.some(isIt),
    );
    return attachments.find(isIt) as AttachmentStatus;
  };
  /** As soon as status says Enforced, and whatever is sent from then on. */
  const reachesItsEndpointAlone = async (site: 'host' | 'pod'): Promise<string> => {
    const { guestAddress, message } = await enforced(site);
    const port = ASKED[round] ?? 0;
    round += 1;
    for (let count = 0; count < 20; count += 1) {
      send(guestAddress ?? '', a, port);
      send(guestAddress ?? '', x, port);
    }
    await poll('all that may pass', async () => (await arrived('a', String(port))) === 20, {
      detail: () => `${message}\n${agent.log.slice(-4000)}`,
    });
    expect(await arrived('x', 'all')).toBe(0);
    expect(message).not.toContain('behind the filter');
    return guestAddress ?? '';
  };
  /** A tap that is down takes nothing. */
  const send = (source: string, to: { address: string; port: number }, port: number): void => {
    if (vm === null) throw new Error('no VM');
    writeSync(vm.fd(), vm.datagram(source, to, port));
  };
  const sendIncessantly = (source: string): void => {
    sender = setInterval(() => {
      for (const to of [a, x])
        try {
          send(source, to, INCESSANT);
        } catch {
          // It is down while it moves.
        }
    }, 2);
  };
  const pinsOfIt = async (): Promise<string[]> =>
    (await rental.host.run(['ls', rental.home.bpffs])).split('\n').filter((name) => name.startsWith('if-'));

  test('is enforced there only once its former filter is gone', async () => {
    await makeTap(rental.host, TAP);
    await agent.until('it to be denied', ({ attachments }) =>
      attachments.some(({ tap, state }) => tap === TAP && state === 'Denied'),
    );
    await move(rental.host, pod);
    await pod.run(['ip', 'link', 'set', TAP, 'up']);
    vm = FoundVm.start(
      pod,
      'moved',
      [{ tap: TAP, mac: MAC }],
      ['-uuid', '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f4d10'],
    );
    apply(rental.home, { name: 'moved', endpoint: a });
    await reachesItsEndpointAlone('pod');
    expect(await pinsOfIt()).toHaveLength(1);
  }, 60_000);

  test.each([
    ['back to the host', 'pod', 'host'],
    ['to the namespace again', 'host', 'pod'],
  ] as const)(
    'moved %s while its policy is in force, it is open to nobody',
    async (_, from, to) => {
      const spaces = { host: rental.host, pod };
      sendIncessantly((await enforced(from)).guestAddress ?? '');
      await move(spaces[from], spaces[to]);
      await reachesItsEndpointAlone(to);
      const before = await arrived('a', 'all');
      await poll('what never stopped to go on', async () => (await arrived('a', 'all')) > before + 50);
      expect(await arrived('x', 'all')).toBe(0);
      expect(await pinsOfIt()).toHaveLength(1);
    },
    60_000,
  );
});
