import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fromGuest, GUEST_PORT, toGuest } from '../support/frames/cast.ts';
import type { Destination } from '../support/frames/policy-bytes.ts';
import { wireGuardShape } from '../support/frames/wireguard.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply } from '../support/stage/manifest.ts';
import { Outsider } from '../support/stage/outsider.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacketSocket } from '../support/stage/packet-socket.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { moved, tally } from '../support/stage/tally.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { describe } from '../support/stage/needs.ts';

const { a, b, x } = RentalLab;
const bytes = (frame: Uint8Array): Buffer => Buffer.from(frame);

describe('inbound, with the NAT of a real agent', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let card: VirtualCard;
  let cast: RealCast;
  /** Where the consumer sees the guest: the host's address and the port that the NAT chose. */
  let seen: Destination;
  let consumer: Outsider;
  let otherConsumer: Outsider;
  let stranger: Outsider;
  let neighbour: Outsider;
  let leave = (): void => undefined;

  beforeAll(async () => {
    rental = await RentalLab.open('sb10');
    const { host, wan, consumerA, consumerB, internet, home } = rental;
    apply(home, { name: 'guest', endpoint: a });
    agent = home.start();
    cast = castOf(
      await agent.until('enforcement', (status) => enforces(status, 'guest', 'guest', a)),
      'guest',
      a,
    );
    consumer = await Outsider.at(consumerA, 'eth0', wan, 'to-a');
    otherConsumer = await Outsider.at(consumerB, 'eth0', wan, 'to-b');
    stranger = await Outsider.at(internet, 'eth0', wan, 'to-x');
    neighbour = await Outsider.at(wan, 'access', host, 'uplink');
    // Whoever is outside may know the guest's address and route to it over the host.
    await wan.run(['ip', 'route', 'add', '100.64.0.0/10', 'via', RentalLab.hostAddress]);
    leave = moveInto(host);
    card = new VirtualCard(cast.tap);
    seen = await speak();
  }, 45_000);
  afterAll(async () => {
    card?.close();
    leave();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  async function speak(): Promise<Destination> {
    const { a: atConsumer, b: atOther, x: atStranger } = await rental.captures();
    const [frame = new Uint8Array()] = await poll('a datagram at the consumer', () => {
      card.send(fromGuest(cast));
      const frames = atConsumer.frames();
      return frames.length > 0 && frames;
    });
    for (const one of [atConsumer, atOther, atStranger]) await one.stop();
    return { address: frame.subarray(26, 30).join('.'), port: bytes(frame).readUInt16BE(34) };
  }

  /** What reaches the guest until an answer of the consumer's does, which is sent last and not part of it. */
  async function untilAnswer(): Promise<Uint8Array[]> {
    const answer = wireGuardShape(3, 64);
    await consumer.say(a, seen, answer);
    const frames: Uint8Array[] = [];
    const isAnswer = (frame: Uint8Array): boolean => bytes(frame.subarray(42)).equals(bytes(answer));
    await poll('the answer', () => {
      frames.push(...card.received());
      return frames.some(isAnswer);
    });
    return frames.filter((frame) => !isAnswer(frame));
  }

  test("[SB-10] the consumer's answer to the port that asked reaches the guest, as from the gateway", async () => {
    expect(seen.address).toBe(RentalLab.hostAddress);
    const payload = wireGuardShape(2, 92);
    await consumer.say(a, seen, payload);
    const [frame = new Uint8Array(), ...more] = await untilAnswer();
    expect(more).toEqual([]);
    const expected = toGuest(cast, { udp: { payload } });
    expect(bytes(frame.subarray(0, 14))).toEqual(bytes(expected.subarray(0, 14)));
    expect(bytes(frame.subarray(26))).toEqual(bytes(expected.subarray(26)));
  }, 30_000);

  const straight = (port = GUEST_PORT): Destination => ({ address: cast.guestAddress, port });
  test.each([
    ['a stranger, to the port that asked', () => stranger.say(x, seen)],
    [
      'a stranger from the right port, to the port that asked',
      () => stranger.say({ ...x, port: a.port }, seen),
    ],
    ['the other consumer, to the port that asked', () => otherConsumer.say(b, seen)],
    ['the consumer from another port', () => consumer.say({ ...a, port: a.port + 1 }, seen)],
    ['the consumer, to a port that never asked', () => consumer.say(a, { ...seen, port: seen.port ^ 1 })],
    ['the consumer, TCP to the port that asked', () => consumer.connect(a, seen)],
    ['a stranger, straight to the guest', () => stranger.say(x, straight())],
    ['a stranger as the consumer, straight to the guest', () => stranger.say(a, straight(22))],
    ['the consumer, straight to a port that never asked', () => consumer.say(a, straight(GUEST_PORT + 1))],
    ['the consumer, straight to the port that asked, past the NAT', () => consumer.say(a, straight())],
    ['a neighbour as the consumer, the same', () => neighbour.say(a, straight())],
    ['the consumer, TCP straight to the guest', () => consumer.connect(a, straight())],
    [
      'a neighbour on the uplink, straight to the guest',
      () => neighbour.say({ address: '10.0.0.1', port: a.port }, straight()),
    ],
    ['a neighbour as the consumer, to a port that never asked', () => neighbour.say(a, straight(22))],
    [
      'a neighbour as the gateway',
      () => neighbour.say({ address: cast.gatewayAddress, port: 53 }, straight(53)),
    ],
    ['a neighbour as the guest itself', () => neighbour.say(straight(), straight())],
    ['a neighbour, to the gateway', () => neighbour.say(x, { address: cast.gatewayAddress, port: 53 })],
  ] as [string, () => Promise<void>][])(
    '[SB-10] never reaches the guest: %s',
    async (_, attempt) => {
      card.received();
      await attempt();
      expect(await untilAnswer()).toEqual([]);
    },
    30_000,
  );

  test('[SB-10] the host itself does not reach the guest; past its firewall the filter drops and counts', async () => {
    const pinDir = join(rental.home.bpffs, cast.tap);
    card.received();
    await rental.host.exec(['python3', '-c', SEND, cast.guestAddress, String(GUEST_PORT)]);
    expect(await untilAnswer()).toEqual([]);
    const before = tally(pinDir);
    const socket = await PacketSocket.open(rental.host, cast.tap);
    await socket.send(toGuest(cast, { ip: { source: x.address } }));
    await socket.send(toGuest(cast, { udp: { sourcePort: a.port + 1 } }));
    socket.close();
    expect(moved(before, tally(pinDir), 'to-vm')).toEqual({ SOURCE_ADDRESS: 1, SOURCE_PORT: 1 });
    expect(card.received()).toEqual([]);
  }, 30_000);
});

/** An ordinary socket of the host's; the kernel may refuse, which is as good. */
const SEND = `
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    out.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
except OSError:
    pass
`;
