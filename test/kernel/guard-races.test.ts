import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nftProgram } from '../../src/agent/host/nft.ts';
import { applyGuard } from '../../src/agent/wiring/nft-table.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RaceLab, type RacedTap } from '../support/stage/race-lab.ts';
import { describe } from '../support/stage/needs.ts';
import { vmnetctl, type Outcome } from '../unit/cli/vmnetctl.ts';

const CLOSED = { bridge: 0, mate: 0, uplink: 0, ipv4: 0, ipv6: 0 };

/* The standing guard alone: there is no agent, and no tap has a filter. */
describe('taps that somebody else makes, floods, and puts into a bridge', () => {
  let lab: RaceLab;
  const guard = (...args: string[]): Promise<Outcome> =>
    vmnetctl(['guard', ...args, '--state-dir', '/nonexistent', '--bpffs', '/nonexistent'], {
      prefix: lab.host.enter([]),
    });
  const readBy = (taps: readonly RacedTap[]): number => taps.reduce((sum, { read }) => sum + read, 0);

  beforeAll(async () => {
    lab = await RaceLab.open('races');
  }, 60_000);
  afterAll(() => lab?.close(), 30_000);

  test('without the guard they reach everything, and everything reaches them', async () => {
    const { taps, leaked } = await lab.race('open', 14);
    expect(Object.entries(leaked).filter(([, frames]) => frames <= 0)).toEqual([]);
    expect(taps.filter(({ read }) => read === 0)).toEqual([]);
    expect(taps.some(({ neighbours }) => neighbours > 0)).toBe(true);
  }, 90_000);

  test('in 200 races with the guard not one frame passes, either way', async () => {
    const others = await lab.host.run(['nft', 'list', 'ruleset']);
    expect((await guard('apply', '--managed-interfaces', 'vnet*')).code).toBe(0);
    const { taps, leaked } = await lab.race('vnet', 200);
    expect(leaked).toEqual(CLOSED);
    expect(taps).toHaveLength(200);
    expect(taps.filter(({ written }) => written < 50)).toEqual([]);
    expect([readBy(taps), taps.filter(({ neighbours }) => neighbours > 0)]).toEqual([0, []]);
    expect((await guard('remove')).code).toBe(0);
    expect(await lab.host.run(['nft', 'list', 'ruleset'])).toBe(others);
  }, 180_000);

  test('a tap that matches no pattern is closed by its name, once a card is bound on it', async () => {
    const links = Array.from({ length: 7 }, (_, number) => `bound${number}`);
    const leave = moveInto(lab.host);
    // In the namespace of this thread, as an agent does.
    const made = applyGuard(nftProgram(), {
      pool: '100.64.0.0/16',
      openedUplinks: [],
      managed: { patterns: [], links },
    });
    try {
      await made;
    } finally {
      leave();
    }
    const { taps, leaked } = await lab.race('bound', 7);
    expect([leaked, readBy(taps)]).toEqual([CLOSED, 0]);
    // The next is nobody's.
    expect((await lab.race('unbound', 7)).leaked.mate).toBeGreaterThan(0);
  }, 60_000);
});
