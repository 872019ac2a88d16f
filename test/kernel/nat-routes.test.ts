import { expect } from '@jest/globals';
import type { NatControl } from '../../src/native/nat-control.ts';
import type { EngineCount } from '../../src/native/nat-control-abi.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import { pattern } from '../support/frames/index.ts';
import { Lab, poll, type Namespace } from '../support/lab/index.ts';
import { policyFor, replyFrame } from '../support/nat/bed.ts';
import { Engine } from '../support/nat/engine.ts';
import type { GuestEnd } from '../support/nat/guest-end.ts';
import { root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// vmn-nat in a host's namespace of its own, whose network is taken away and given back while the guest goes on sending.

const { describe, test } = requires(root);
const cast = { ...CAST, endpoint: { address: '192.0.2.2', port: 51900 } };
const frame = fromGuest(cast, { udp: { payload: pattern(20) } });
const reply = replyFrame(cast, pattern(20), 40000);
const ECHO =
  'import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(("192.0.2.2",51900))\n' +
  'while True:\n d,a=s.recvfrom(65536);s.sendto(d,a)';

interface Place {
  host: Namespace;
  far: Namespace;
  guest: GuestEnd;
  control: NatControl;
}

async function withPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const lab = await Lab.create('routes');
  let engine: Engine | null = null;
  try {
    const [host, far] = [await lab.namespace('host'), await lab.namespace('far')];
    const addresses = { addressA: '192.0.2.1/24', addressB: '192.0.2.2/24' };
    await lab.connect(host, far, { nameA: 'uplink0', nameB: 'eth0', ...addresses });
    engine = await Engine.start({ wrapper: host.enter(['setpriv', '--reuid=65534', '--clear-groups']) });
    const control = await engine.control();
    await control.setPolicy(policyFor(cast));
    await body({ host, far, control, guest: await engine.guest() });
  } finally {
    await engine?.stop();
    await lab.close();
  }
}

/** Sends until the answer comes: the guest retries too. */
async function answered({ guest }: Place): Promise<void> {
  const seen = guest.frames.length;
  await poll('an answer', () => {
    guest.send(frame);
    return guest.frames.length > seen;
  });
  expect(guest.frames[seen]).toEqual(reply);
}

/** Sends until the engine has counted another one of these. */
async function counted({ guest, control }: Place, what: EngineCount): Promise<void> {
  const before = (await control.counters()).engine[what];
  await poll(`another ${what}`, async () => {
    guest.send(frame);
    return (await control.counters()).engine[what] > before;
  });
}

describe('[UF-2] what stands in the way of vmn-nat', () => {
  test('[UF-2] a closed port is counted, and reached once it is open', async () => {
    await withPlace(async (place) => {
      await counted(place, 'refused');
      place.far.spawn(['python3', '-c', ECHO]);
      await answered(place);
    });
  });

  test('[UF-2] a host without a route: counted, retried ever more seldom, reached once there is one', async () => {
    await withPlace(async (place) => {
      place.far.spawn(['python3', '-c', ECHO]);
      await answered(place);
      await place.host.run(['ip', 'link', 'set', 'uplink0', 'down']);
      await counted(place, 'unreachable');
      const { unreachable } = (await place.control.counters()).engine;
      const end = performance.now() + 1000;
      await poll('a second to pass', () => {
        place.guest.send(frame);
        return performance.now() > end;
      });
      const { engine } = await place.control.counters();
      expect(engine.unreachable - unreachable).toBeLessThanOrEqual(5n); // 50, 100, 200, 400 ms
      expect(engine.backing_off).toBeGreaterThan(10n);
      await place.host.run(['ip', 'link', 'set', 'uplink0', 'up']);
      await answered(place);
    });
  });

  test('[UF-2] the address that a socket had is gone: another one is opened, from the new address', async () => {
    await withPlace(async (place) => {
      place.far.spawn(['python3', '-c', ECHO]);
      await answered(place);
      await place.host.run(['ip', 'address', 'add', '192.0.2.77/24', 'dev', 'uplink0']);
      await place.host.run(['sysctl', '-qw', 'net.ipv4.conf.uplink0.promote_secondaries=1']);
      await place.host.run(['ip', 'address', 'del', '192.0.2.1/24', 'dev', 'uplink0']);
      await answered(place);
      expect((await place.control.counters()).engine.flows_opened).toBe(2n);
    });
  });
});
