import { CONSUMER_INSIDE } from '../../test/support/debian-guest/consumer-tunnel.ts';
import { poll } from '../../test/support/lab/index.ts';
import { describe } from '../scenario/arrivals.ts';
import type { Line } from '../scenario/ledger.ts';
import { PLACES } from '../scenario/places.ts';
import { USER_DATA, VM_INSIDE } from './places.ts';
import type { Scene } from './scene.ts';

const TUNNEL_DEADLINE_MS = 60_000;

/** One fact: what is expected, and what was seen instead. */
export function fact(step: string, attempt: string, expected: string, seen: string): Line {
  const faults = seen === expected ? [] : [`${expected} expected`];
  return { step, attempt, expected, seen, reason: '', count: null, faults };
}

/** The guest's ping is answered by the consumer, and the other way round. */
export async function tunnelCarries(
  scene: Scene,
  step: string,
  attempt: string,
  deadlineMs = TUNNEL_DEADLINE_MS,
): Promise<Line> {
  const { subject, tunnel } = scene;
  const began = performance.now();
  const ping = async (): Promise<boolean> =>
    (await subject.guest.run(`ping -n -c 1 -W 1 ${CONSUMER_INSIDE}`)).code === 0;
  const answered = await poll('the tunnel', ping, { deadlineMs }).catch(() => false);
  const seconds = Math.round((performance.now() - began) / 1000);
  const back = ['ping', '-n', '-c', '1', '-W', '5', VM_INSIDE];
  const both = answered && (await tunnel.namespace.exec(back)).code === 0;
  const expected = 'answered both ways';
  const line = fact(step, attempt, expected, both ? expected : answered ? 'one way only' : 'no answer');
  return both ? { ...line, seen: `${expected}, after ${String(seconds)} s` } : line;
}

/** What `wg show` prints on both ends, and whether each has the other for its only peer. */
export async function shownOnBothEnds(scene: Scene, step: string): Promise<Line[]> {
  const { subject, tunnel, publicKey, rental, narrator } = scene;
  const inGuest = await subject.guest.must('wg show wg0');
  const atConsumer = await tunnel.show();
  narrator.say('`wg show` in the guest:');
  inGuest
    .trim()
    .split('\n')
    .forEach((line) => narrator.say(`  ${line}`));
  narrator.say('`wg show` at the consumer:');
  atConsumer
    .trim()
    .split('\n')
    .forEach((line) => narrator.say(`  ${line}`));
  const { address, port } = rental.endpoint;
  return [
    fact(
      step,
      'wg show in the guest',
      `peer at ${address}:${String(port)}`,
      peerOf(inGuest, tunnel.publicKey),
    ),
    fact(
      step,
      'wg show at the consumer',
      `peer at ${PLACES.host}`,
      peerOf(atConsumer, publicKey).replace(/:\d+$/, ''),
    ),
  ];
}

/** The one peer of an interface, if it is this one and there was a handshake. */
function peerOf(shown: string, publicKey: string): string {
  const peers = [...shown.matchAll(/^peer: (.*)$/gm)].map(([, key]) => key);
  if (peers.length !== 1 || peers[0] !== publicKey) return `peers ${peers.join(', ')}`;
  if (!/^ {2}latest handshake: /m.test(shown)) return 'no handshake';
  return `peer at ${/^ {2}endpoint: (.*)$/m.exec(shown)?.[1] ?? 'nowhere'}`;
}

/** All that arrived anywhere since the last look, but for the tunnel. */
export async function nothingElse(scene: Scene, step: string, attempt: string): Promise<Line> {
  const arrived = await scene.world.newArrivals();
  return fact(step, attempt, 'nothing', arrived.length === 0 ? 'nothing' : describe(arrived));
}

/** The tenant's user-data is in the guest to the letter, and was done, once. */
export async function tenantHonoured({ subject }: Scene, step: string): Promise<Line[]> {
  const { output } = await subject.guest.run('cat /var/lib/cloud/instance/user-data.txt');
  const done = await subject.guest.run('stat -c %a /etc/tenant; cat /etc/tenant /var/lib/tenant-once');
  const letter = 'byte for byte';
  return [
    fact(step, "the tenant's user-data in the guest", letter, output === USER_DATA ? letter : 'otherwise'),
    fact(
      step,
      'its file, and its command',
      '640 of the tenant, once',
      done.output.trim().replaceAll('\n', ' ').replace('tenant once', 'tenant, once'),
    ),
  ];
}
