/** What is left of a VM that was here, in the host's network namespace and in another; and how long it was open there. */
import { writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Namespace } from '../support/lab/index.ts';
import { poll } from '../support/lab/index.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, GATEWAY, makeTap } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { openPod } from '../support/stage/pod.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, x } = RentalLab;
const ADDRESS = '127.0.0.1:9107';
const ASK = `fetch(process.argv[1]).then(async (r) => console.log(await r.text()))`;

describe('VMs that others started, on links that no pattern matches', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let pod: Namespace;
  let inHost: FoundVm | null = null;
  let inPod: FoundVm | null = null;

  beforeAll(async () => {
    rental = await RentalLab.open('leaving');
    pod = await openPod(rental);
    await rental.host.run(['ip', 'link', 'set', 'lo', 'up']);
    agent = rental.home.start(['--resync-seconds', '3600', '--health-address', ADDRESS]);
    await agent.until('the first pass', () => true);
  }, 60_000);
  afterAll(async () => {
    await inHost?.kill();
    await inPod?.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const untilEnforced = (tap: string): Promise<unknown> =>
    agent.until(`${tap} to be enforced`, ({ attachments }) =>
      attachments.some((one) => one.tap === tap && one.state === 'Enforced'),
    );
  const hasGuard = async (space: Namespace): Promise<boolean> =>
    (await space.run(['nft', 'list', 'tables'])).includes('inet vmnetwork');
  const longestExposureMs = async (): Promise<number> => {
    const text = await rental.host.run([process.execPath, '-e', ASK, `http://${ADDRESS}/metrics`]);
    const [, seconds] = /^vmnetwork_agent_longest_exposure_seconds (\S+)$/m.exec(text) ?? [];
    return Number(seconds) * 1000;
  };
  const end = async (vm: FoundVm | null, space: Namespace): Promise<void> => {
    await vm?.kill();
    await space.run(['ip', 'link', 'del', vm?.cards[0]?.tap ?? '']);
  };

  test('as long as one in another namespace was open, as long is said at least', async () => {
    apply(rental.home, { name: 'in-pod', endpoint: a });
    const counter = await PortCounter.place(rental.internet, 'eth0', {});
    await makeTap(pod, 'lvp0');
    await pod.run(['ip', 'link', 'set', 'lvp0', 'address', GATEWAY.gatewayMac]);
    await pod.run(['ip', 'addr', 'add', '10.9.9.1/24', 'dev', 'lvp0']);
    const beganMs = performance.now();
    inPod = FoundVm.start(pod, 'in-pod', [{ tap: 'lvp0', mac: '52:54:00:dd:02:01' }]);
    const [fd, frame] = [inPod.fd(), inPod.datagram('10.9.9.2', x, 41_000)];
    // One a millisecond, at most.
    const sender = setInterval(() => writeSync(fd, frame), 1);
    await untilEnforced('lvp0');
    const tookMs = performance.now() - beganMs;
    clearInterval(sender);
    const openMs = (await counter.seen())['all']?.packets ?? 0;
    expect(openMs).toBeGreaterThan(0);
    const saidMs = await longestExposureMs();
    expect(saidMs).toBeGreaterThan(openMs - 1);
    expect(saidMs).toBeLessThan(tookMs + 100);
  }, 60_000);

  test('the last one of the host leaves no guard there, and the name of its link to whoever comes', async () => {
    apply(rental.home, { name: 'in-host', endpoint: a });
    await makeTap(rental.host, 'lvh0');
    inHost = FoundVm.start(rental.host, 'in-host', [{ tap: 'lvh0', mac: '52:54:00:dd:02:02' }]);
    await untilEnforced('lvh0');
    expect(await rental.host.run(['nft', 'list', 'set', 'inet', 'vmnetwork', 'bound_links'])).toContain(
      'lvh0',
    );
    withdraw(rental.home, 'in-host');
    await end(inHost, rental.host);
    await poll('the end of the guard of the host', async () => !(await hasGuard(rental.host)));
    expect(await hasGuard(pod)).toBe(true);
    await untilEnforced('lvp0');
  }, 60_000);

  test('the last one of another namespace leaves no guard there', async () => {
    await end(inPod, pod);
    await poll('the end of the guard of the pod', async () => !(await hasGuard(pod)));
  }, 60_000);
});
