import { describe, expect, test } from '@jest/globals';
import { REASONS, reasonName } from '../../src/filter/drop-reason.ts';
import type { Direction } from '../../src/filter/filtering-strategy.ts';
import { newFilterMemory, type FilterMemory } from '../../src/filter/filter-memory.ts';
import { strategyFor } from '../../src/filter/strategy.ts';
import { createFilterState, judge, judgeWith } from '../../src/native/verdict.ts';
import { metaOf, scenarios, type Scenario } from '../support/frames-generator/scenario.ts';

// The readable reference against the C filter as the host compiles it: same frames in the same order, same policies, same
// time; same reason for each, audited or not, and the violation threshold reached by the same frame.

const SEED = 0x564d4e; // "VMN"
const FRAMES = 100_000;

/** What a filter says of a frame. */
interface Said {
  reason: number;
  audited: boolean;
  /** Violations reached the threshold with it. */
  crossed: boolean;
}
type Filter = (scenario: Scenario) => Said;

/** One that remembers, each VM by itself. */
function perVm<Memory>(create: () => Memory, say: (memory: Memory, scenario: Scenario) => Said): Filter {
  const memories = new Map<number, Memory>();
  return (scenario) => {
    const memory = memories.get(scenario.vm) ?? create();
    memories.set(scenario.vm, memory);
    return say(memory, scenario);
  };
}

const referenceFilter = (): Filter =>
  perVm(newFilterMemory, (memory: FilterMemory, { direction, policy, frame, circumstances }) => {
    const before = memory.violations.crossings;
    const strategy = strategyFor(policy.inForce, memory);
    const { reasonCode, audited } = strategy.judge(direction, policy.inForce, frame, circumstances);
    return { reason: reasonCode, audited, crossed: memory.violations.crossings > before };
  });

const cFilter = (): Filter =>
  perVm(createFilterState, (state, { direction, policy, frame, circumstances }) => {
    const { reason, audited, violations } = judgeWith(
      state,
      direction,
      policy.bytes,
      frame,
      metaOf(circumstances),
    );
    return { reason, audited, crossed: violations };
  });

/** Everything that is needed to look at a difference. */
function told(scenario: Scenario, index: number, reference: Said, c: Said): string {
  const { vm, direction, frame, circumstances, mutations, policy } = scenario;
  const json = JSON.stringify({ ...policy.fields, ...circumstances }, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return [
    `frame ${String(index)} of seed ${String(SEED)}, VM ${String(vm)}, ${direction}, after ${mutations.join(', ') || 'nothing'}:`,
    ...Object.entries({ reference, c }).map(
      ([who, { reason, audited, crossed }]) =>
        `  ${who}: ${reasonName(reason)}${audited ? ', audited' : ''}${crossed ? ', threshold reached' : ''}`,
    ),
    `  frame ${Buffer.from(frame).toString('hex')}`,
    `  policy ${policy.bytes === null ? 'none' : Buffer.from(policy.bytes).toString('hex')}`,
    `  ${json}`,
  ].join('\n');
}

/** What one way can end in, by the specification: the others are the other way's. */
function reachable(direction: Direction): string[] {
  const only = {
    'from-vm': ['ArpFromHost'],
    'to-vm': ['ArpMalformed', 'ArpSpoofed', 'ArpNotGateway', 'BitRate', 'PacketRate', 'IcmpToEndpoint'],
  };
  return REASONS.map(({ name }) => name).filter((name) => !only[direction].includes(name));
}

/** What Audit may let pass: rules about whom the guest talks to, and how much. */
const AUDITABLE = {
  'from-vm': ['DestinationAddress', 'DestinationPort', 'BitRate', 'PacketRate'],
  'to-vm': ['SourceAddress', 'SourcePort'],
};
const AUDITABLE_BOTH_WAYS = ['Protocol', 'UdpLength', 'PreviousEndpointExpired', 'NotWireGuard'];
/** Audited too, but met too seldom to ask for. */
const AUDITED_SELDOM = {
  'from-vm': ['SourcePort', 'SuperFrame', 'IcmpToEndpoint'],
  'to-vm': ['DestinationPort', 'SuperFrame'],
};

class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  get names(): string[] {
    return [...this.#counts.keys()];
  }

  /** A reason that was met twice in 10^5 frames was not compared. */
  seldom(names: readonly string[], least: number): string[] {
    return names.filter((name) => this.of(name) < least);
  }
}

describe('the reference and the C filter', () => {
  test(`agree on ${String(FRAMES)} generated frames in every mode, which reach every reason both ways`, () => {
    const [reference, c] = [referenceFilter(), cFilter()];
    const differences: string[] = [];
    const reached = { 'from-vm': new Tally(), 'to-vm': new Tally() };
    const audited = { 'from-vm': new Tally(), 'to-vm': new Tally() };
    let crossings = 0;
    const source = scenarios(SEED);
    for (let index = 0; index < FRAMES && differences.length < 10; index += 1) {
      const scenario = source.next().value;
      const [here, there] = [reference(scenario), c(scenario)];
      const same =
        here.reason === there.reason && here.audited === there.audited && here.crossed === there.crossed;
      if (!same) differences.push(told(scenario, index, here, there));
      reached[scenario.direction].add(reasonName(here.reason));
      if (here.audited) audited[scenario.direction].add(reasonName(here.reason));
      if (here.crossed) crossings += 1;
    }
    expect(differences.join('\n')).toBe('');
    expect(crossings).toBeGreaterThan(1000);
    for (const direction of ['from-vm', 'to-vm'] as const) {
      expect({ direction, seldom: reached[direction].seldom(reachable(direction), 20) }).toEqual({
        direction,
        seldom: [],
      });
      const { names } = reached[direction];
      expect(names.filter((name) => !reachable(direction).includes(name))).toEqual([]);
      expect(Math.max(...names.map((name) => reached[direction].of(name)))).toBeLessThan(FRAMES / 5);

      const auditable = [...AUDITABLE_BOTH_WAYS, ...AUDITABLE[direction]];
      expect({ direction, seldom: audited[direction].seldom(auditable, 10) }).toEqual({
        direction,
        seldom: [],
      });
      const others = audited[direction].names.filter((name) => !auditable.includes(name));
      expect(others.filter((name) => !AUDITED_SELDOM[direction].includes(name))).toEqual([]);
    }
  }, 60_000);

  test('judge a stream again as they did, and leave the frames as they were', () => {
    const [first, second] = [referenceFilter(), referenceFilter()];
    const [one, other] = [scenarios(SEED + 1), scenarios(SEED + 1)];
    for (let index = 0; index < 2000; index += 1) {
      const [scenario, again] = [one.next().value, other.next().value];
      expect(first(scenario)).toEqual(second(again));
      expect(Buffer.compare(scenario.frame, again.frame)).toBe(0);
    }
  });

  test('agree without memory too: every frame is then the first of its flow, and nothing is limited', () => {
    const source = scenarios(SEED + 2);
    for (let index = 0; index < 5000; index += 1) {
      const { direction, policy, frame, circumstances } = source.next().value;
      const given = policy.inForce;
      const unlimited =
        typeof given === 'string'
          ? given
          : { ...given, limits: { egressBitsPerSecond: 0, packetsPerSecond: 0 } };
      const { reasonCode } = strategyFor(unlimited).judge(direction, unlimited, frame, circumstances);
      expect(judge(direction, policy.bytes, frame, metaOf(circumstances))).toBe(reasonCode);
    }
  });
});
