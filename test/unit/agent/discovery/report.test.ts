import { describe, expect, test } from '@jest/globals';
import { virtualMachineSchema } from '../../../../src/api/v1alpha1/virtual-machine.ts';
import type { HostCard } from '../../../../src/agent/discovery/directory.ts';
import { identityOf } from '../../../../src/agent/discovery/identity.ts';
import { type FoundVm, reportOf } from '../../../../src/agent/discovery/report.ts';

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';

interface Given {
  readonly pid: number;
  readonly start?: number;
  readonly name?: string | null;
  readonly uuid?: string | null;
  readonly incoming?: boolean;
  readonly cards?: readonly Partial<HostCard>[];
}

function vm({
  pid,
  start = pid * 100,
  name = null,
  uuid = null,
  incoming = false,
  cards = [{}],
}: Given): FoundVm {
  const process = { pid, startTicks: String(start) };
  return {
    process,
    identity: identityOf({ name, uuid, inPod: false }, process),
    incoming,
    cards: cards.map((card, at) => ({
      mac: `52:54:00:00:00:0${String(at)}`,
      link: { netns: null, ifindex: pid * 10 + at, name: `t${String(pid)}${String(at)}` },
      unsupported: null,
      ...process,
      ...card,
    })),
  };
}

/** `id name` and, for each card, whether it can be filtered. */
const shown = (found: readonly FoundVm[]): string[] =>
  reportOf(found).map(({ reported, cards }) => {
    expect(virtualMachineSchema.parse(reported)).toEqual(reported);
    return [
      reported.id,
      reported.name,
      reported.uuid ?? '-',
      ...cards.map((card) => (card.unsupported === null ? 'open' : 'closed')),
    ].join(' ');
  });

describe('one id, several processes', () => {
  test('that are different VMs: none of them is it, all of them are told', () => {
    expect(
      shown([
        vm({ pid: 1, name: 'a', uuid: UUID }),
        vm({ pid: 2, name: 'b', uuid: UUID }),
        vm({ pid: 3, name: 'c' }),
      ]),
    ).toEqual(['c c - open', `process-1-100 a ${UUID} closed`, `process-2-200 b ${UUID} closed`]);
    expect(shown([vm({ pid: 1, name: 'a' }), vm({ pid: 2, name: 'a' })])).toEqual([
      'process-1-100 a - closed',
      'process-2-200 a - closed',
    ]);
    // By chance, or not: one's name is another's uuid.
    expect(shown([vm({ pid: 1, name: UUID }), vm({ pid: 2, uuid: UUID })])).toHaveLength(2);
  });

  test('that are the ends of a migration: the older is it, the others wait', () => {
    const source = vm({ pid: 9, start: 100, name: 'a', uuid: UUID });
    const target = vm({ pid: 1, start: 200, name: 'a', uuid: UUID, incoming: true });
    const next = vm({ pid: 2, start: 1000, name: 'a', uuid: UUID, incoming: true });
    const waiting = 'process-1-200 process-1-200 - closed';
    expect(shown([target, source])).toEqual([`${UUID} a ${UUID} open`, waiting]);
    expect(shown([target, next])).toEqual([
      `${UUID} a ${UUID} open`,
      'process-2-1000 process-2-1000 - closed',
    ]);
    expect(shown([target])).toEqual([`${UUID} a ${UUID} open`]);
    // Who only says that it comes from elsewhere takes nothing from who was there; nor does who was there first.
    expect(
      shown([
        { ...source, incoming: true },
        { ...target, incoming: false },
      ]),
    ).toEqual([`process-1-200 a ${UUID} closed`, `process-9-100 a ${UUID} closed`]);
  });

  test('of which only one can be filtered: the others take nothing from it', () => {
    const slirp = vm({ pid: 1, name: 'a', uuid: UUID, cards: [{ link: null, unsupported: 'slirp' }] });
    expect(shown([slirp, vm({ pid: 2, name: 'a', uuid: UUID })])).toEqual([
      `${UUID} a ${UUID} open`,
      'process-1-100 process-1-100 - closed',
    ]);
    expect(shown([slirp, { ...slirp, process: { pid: 3, startTicks: '300' } }])).toHaveLength(2);
  });
});

describe('what is reported', () => {
  test('nobody can mean a VM that has neither name nor uuid, or only a name that is none', () => {
    expect(
      shown([vm({ pid: 1 }), vm({ pid: 2, name: 'lv test' }), vm({ pid: 3, name: 'lv test', uuid: UUID })]),
    ).toEqual([
      expect.stringMatching(/^6a0cbd52.* open$/),
      expect.stringMatching(/^lv_test--\w+ .* closed$/),
      'process-1-100 process-1-100 - closed',
    ]);
  });

  test('cards without an address are for enforcement only; at most sixteen; names of interfaces that fit', () => {
    const cards = Array.from({ length: 20 }, (_, at) => ({
      mac: `52:54:00:00:01:${(0x10 + at).toString(16)}`,
    }));
    const [report] = reportOf([vm({ pid: 1, name: 'a', cards: [...cards, { mac: '' }] })]);
    expect(report?.reported.interfaces).toHaveLength(16);
    expect(report?.cards.map(({ mac }) => mac).slice(0, 16)).toEqual(
      report?.reported.interfaces.map(({ mac }) => mac),
    );
    expect(report?.cards.slice(16).every(({ unsupported }) => unsupported === 'more than 16 cards')).toBe(
      true,
    );
    const odd = { link: { netns: null, ifindex: 1, name: 'tap\u00e9' } };
    const [other] = reportOf([vm({ pid: 1, name: 'a', cards: [odd] })]);
    expect(other).toMatchObject({ reported: { interfaces: [{ mac: '52:54:00:00:00:00' }] }, cards: [odd] });
    expect(other?.reported.interfaces[0]).not.toHaveProperty('name');
  });

  test('reasons fit', () => {
    const [report] = reportOf([
      vm({ pid: 1, name: 'a', cards: [{ unsupported: `é\n${'x'.repeat(1000)}` }] }),
    ]);
    expect(virtualMachineSchema.parse(report?.reported)).toEqual(report?.reported);
  });
});
