import { describe, expect, test } from '@jest/globals';
import type { MacAddress } from '../../../../src/api/v1alpha1/mac-address.ts';
import {
  cardsOf,
  type CardsInput,
  type FoundCards,
  type KnownTaps,
} from '../../../../src/agent/discovery/cards.ts';
import type { BackendFact, CardFact } from '../../../../src/agent/discovery/facts.ts';
import type { HeldTap } from '../../../../src/agent/discovery/taps.ts';

const [A, B] = ['52:54:00:00:00:00', '52:54:00:00:00:01'] as [MacAddress, MacAddress];
const card = (at: number, ...backends: string[]): CardFact => ({
  device: 'virtio-net-pci',
  mac: [A, B][at] ?? null,
  backends,
});
const tapBackend = (id: string, given: Partial<BackendFact> = {}): BackendFact => {
  return { id, kind: 'tap', interface: null, fds: [], ...given };
};
const held = (name: string, ...fds: number[]): HeldTap => {
  const ifindex = 100 + (fds[0] ?? 0);
  return {
    kind: 'tap',
    name,
    fds,
    link: { netns: null, ifindex, name },
    key: `1/${ifindex}`,
    reason: null,
    ours: false,
  };
};

function found(
  cards: CardFact[],
  backends: BackendFact[],
  taps: HeldTap[],
  given: Partial<CardsInput> = {},
): FoundCards {
  return cardsOf({
    process: { pid: 7, startTicks: '70' },
    facts: { name: 'vm', uuid: null, cards, backends },
    current: false,
    taps,
    illegible: null,
    known: new Map(),
    ...given,
  });
}

/** `mac -> interface`, or `mac !` for a card that cannot be filtered. */
const shown = ({ cards }: FoundCards): string[] =>
  cards.map(
    ({ mac, link, unsupported }) => `${mac}${unsupported === null ? ` -> ${link?.name ?? ''}` : ' !'}`,
  );

describe("which tap is which card's", () => {
  test('by the name it was opened with', () => {
    const backends = [tapBackend('a', { interface: 'ta' }), tapBackend('b', { interface: 'tb' })];
    expect(shown(found([card(0, 'a'), card(1, 'b')], backends, [held('tb', 4), held('ta', 3)]))).toEqual([
      `${A} -> ta`,
      `${B} -> tb`,
    ]);
  });

  test('by the descriptor that was handed over, whatever its name', () => {
    const backends = [tapBackend('a', { fds: [31] }), tapBackend('b', { fds: [30] })];
    expect(shown(found([card(0, 'a'), card(1, 'b')], backends, [held('x', 30), held('y', 31)]))).toEqual([
      `${A} -> y`,
      `${B} -> x`,
    ]);
  });

  test('by what was found before, when both are renamed', () => {
    const backends = [tapBackend('a', { interface: 'ta' }), tapBackend('b', { interface: 'tb' })];
    const cards = [card(0, 'a'), card(1, 'b')];
    const before = found(cards, backends, [held('ta', 3), held('tb', 4)]);
    const renamed = [held('y', 4), held('x', 3)];
    expect(shown(found(cards, backends, renamed, { known: before.known }))).toEqual([
      `${A} -> x`,
      `${B} -> y`,
    ]);
    // Without that memory it is not guessed; both taps and no card are told.
    const guess = found(cards, backends, renamed);
    expect(shown(guess)).toEqual([' !', ' !']);
    expect(guess.unexplained).toBe(true);
  });

  test('and a tap that takes the place of one that is gone is not taken for it', () => {
    const facts = [[card(0, 'a')], [tapBackend('a', { interface: 'ta' })]] as const;
    const of = (taps: HeldTap[], known: KnownTaps): FoundCards =>
      found([...facts[0]], [...facts[1]], taps, { known });
    const before = of([held('ta', 3)], new Map());
    const replaced = { ...held('other', 3), key: '1/7' } as const;
    expect(shown(of([replaced], before.known))).toEqual([' !']);
    const gone = of([], before.known);
    expect(shown(of([replaced], gone.known))).toEqual([' !']);
    expect(shown(of([held('ta', 3)], gone.known))).toEqual([`${A} -> ta`]);
    // Nor where there is neither name nor number to know it by.
    const nameless = (taps: HeldTap[], known: KnownTaps): FoundCards =>
      found([card(0, 'a')], [tapBackend('a')], taps, { known });
    const opened = nameless([held('ta', 3)], new Map());
    expect(shown(opened)).toEqual([`${A} -> ta`]);
    expect(shown(nameless([held('other', 4)], opened.known))).toEqual([' !']);
  });

  test('by there being one of each left, where nothing speaks against it', () => {
    const one = (given: Partial<BackendFact>, current = false): string[] =>
      shown(found([card(0, 'a')], [tapBackend('a', given)], [held('is', 3)], { current }));
    expect(one({})).toEqual([`${A} -> is`]);
    expect(one({ kind: 'bridge' })).toEqual([`${A} -> is`]);
    // Renamed, or unplugged and another plugged: who knows what is there now is asked, and nobody guesses.
    expect(one({ interface: 'was' })).toEqual([' !']);
    expect(one({ fds: [9] })).toEqual([' !']);
    expect(one({ interface: 'was' }, true)).toEqual([`${A} -> is`]);
  });

  test('not by a name that two of its taps have, in two namespaces', () => {
    const elsewhere = { ...held('t', 4), link: { netns: 'net:[9]', ifindex: 104, name: 't' } };
    const backends = [tapBackend('a', { interface: 't' })];
    expect(shown(found([card(0, 'a')], backends, [held('t', 3), elsewhere], { current: true }))).toEqual([
      `${A} !`,
      ' !',
      ' !',
    ]);
  });

  test('a tap without a card is told, closed; packets without frames are no card', () => {
    const result = found([], [], [held('extra', 3), { ...held('vpn', 4), kind: 'tun' }]);
    expect(result.cards).toEqual([
      expect.objectContaining({
        mac: '',
        link: { netns: null, ifindex: 103, name: 'extra' },
        unsupported: expect.stringContaining('not known'),
      }),
    ]);
    expect(result.unexplained).toBe(true);
  });

  test('a card whose tap is not held is told only by who knows that it is there', () => {
    const facts = [[card(0, 'a')], [tapBackend('a', { interface: 'ta' })], []] as const;
    expect(shown(found([...facts[0]], [...facts[1]], []))).toEqual([]);
    const current = found([...facts[0]], [...facts[1]], [], { current: true });
    expect(shown(current)).toEqual([`${A} !`]);
    expect(current.unexplained).toBe(true);
  });
});

describe('what cannot be filtered says why', () => {
  const reason = (
    cards: CardFact[],
    backends: BackendFact[],
    taps: HeldTap[] = [],
    given: Partial<CardsInput> = {},
  ): string => {
    const [first] = found(cards, backends, taps, given).cards;
    expect(first?.unsupported).toMatch(/^[ -~]{1,256}$/);
    return first?.unsupported ?? '';
  };

  test.each([
    ['user', /slirp.*use -netdev tap/],
    ['vhost-user', /shared memory/],
    ['vhost-vdpa', /hardware/],
    ['passt', /no interface/],
    ['stream', /no tap on the host; use -netdev tap/],
    ['macvtap', /past any filter/],
    ['é\n'.repeat(200), /no tap/],
    ['', /unknown kind/],
  ])('backend %j', (kind, expected) => {
    expect(reason([card(0, 'a')], [tapBackend('a', { kind })])).toMatch(expected);
  });

  test('macvtap by its descriptor, though it was started as a tap', () => {
    const macvtap = { ...held('mv0', 3), kind: 'macvtap' as const };
    expect(reason([card(0, 'a')], [tapBackend('a', { fds: [3] })], [macvtap])).toMatch(/past any filter/);
  });

  test('no backend, an unknown one, one of several on a hub, one for two cards, a device of the host', () => {
    expect(reason([card(0)], [])).toMatch(/nothing to filter/);
    expect(reason([card(0, 'nowhere')], [])).toMatch(/not known/);
    expect(reason([card(0, 'a', 'b')], [tapBackend('a'), tapBackend('b')], [held('t', 3)])).toMatch(/hub/);
    expect(shown(found([card(0, 'a'), card(1, 'a')], [tapBackend('a')], [held('t', 3)]))).toEqual([
      `${A} !`,
      `${B} !`,
      ' !',
    ]);
    expect(reason([{ ...card(0), passthrough: true }], [])).toMatch(/drives itself/);
  });

  test('taps that could not be read, or not be found', () => {
    expect(reason([card(0, 'a')], [tapBackend('a')], [], { illegible: 'needs CAP_SYS_PTRACE' })).toBe(
      'needs CAP_SYS_PTRACE',
    );
    const lost = { ...held('t', 3), link: null, key: null, reason: 'the namespace cannot be read' };
    expect(reason([card(0, 'a')], [tapBackend('a')], [lost])).toBe('the namespace cannot be read');
  });

  test('an address that two cards have, or that is none', () => {
    const backends = [tapBackend('a', { interface: 'ta' }), tapBackend('b', { interface: 'tb' })];
    const taps = [held('ta', 3), held('tb', 4)];
    expect(found([card(0, 'a'), card(0, 'b')], backends, taps).cards).toEqual([
      expect.objectContaining({ unsupported: expect.stringContaining('same MAC address') }),
      expect.objectContaining({ unsupported: expect.stringContaining('same MAC address') }),
    ]);
    expect(shown(found([card(9, 'a'), card(1, 'b')], backends, taps))).toEqual([`${B} -> tb`, ' !']);
  });
});
