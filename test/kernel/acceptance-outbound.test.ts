import { afterAll, beforeAll, describe as group, expect, test } from '@jest/globals';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';

const { a, x } = RentalLab;

/** What the filter allows leaves translated, for where it was judged, or not at all. */
describe('outbound, with the NAT of a real agent', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let card: VirtualCard;
  let cast: RealCast;
  let leave = (): void => undefined;

  beforeAll(async () => {
    rental = await RentalLab.open('out');
    apply(rental.home, { name: 'guest', endpoint: a });
    agent = rental.home.start();
    cast = castOf(
      await agent.until('enforcement', (status) => enforces(status, 'guest', 'guest', a)),
      'guest',
      a,
    );
    leave = moveInto(rental.host);
    card = new VirtualCard(cast.tap);
  }, 45_000);
  afterAll(async () => {
    card?.close();
    leave();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  /** Sends frames until one arrives at the consumer or stranger; what arrived, by far end. */
  async function whereItArrives(frame: Uint8Array, then: Uint8Array): Promise<{ a: string[]; x: string[] }> {
    const captures = await rental.captures();
    card.send(frame);
    const sources = (frames: Uint8Array[]): string[] =>
      frames.filter((one) => one[12] === 8 && one[13] === 0).map((one) => one.subarray(26, 30).join('.'));
    // The frame after it has arrived, so the first one has or never will.
    await poll('the frame after it', () => {
      card.send(then);
      return sources(captures.a.frames()).some((source) => source === RentalLab.hostAddress);
    });
    for (const one of Object.values(captures)) await one.stop();
    return { a: sources(captures.a.frames()), x: sources(captures.x.frames()) };
  }

  test('a datagram whose UDP checksum is wrong does not leave with the address of the guest', async () => {
    const seen = await whereItArrives(fromGuest(cast, { udp: { checksum: 0x1234 } }), fromGuest(cast));
    expect(new Set(seen.a)).toEqual(new Set([RentalLab.hostAddress]));
    expect(seen.x).toEqual([]);
  });

  group("where somebody else's rule redirects the endpoint", () => {
    beforeAll(async () => {
      const rules = `table ip elsewhere {
        chain to {
          type nat hook prerouting priority dstnat
          ip daddr ${a.address} udp dport ${a.port} udp sport 40404 dnat to ${x.address}:${x.port}
        }
      }`;
      await rental.host.run(['nft', rules]);
    });
    afterAll(async () => {
      await rental?.host.run(['nft', 'delete', 'table', 'ip', 'elsewhere']);
    });

    test('the datagram goes nowhere', async () => {
      const seen = await whereItArrives(fromGuest(cast, { udp: { sourcePort: 40404 } }), fromGuest(cast));
      expect(seen.x).toEqual([]);
      expect(new Set(seen.a)).toEqual(new Set([RentalLab.hostAddress]));
    });
  });
});
