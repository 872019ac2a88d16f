import { describe, expect, test } from '@jest/globals';
import {
  demandTapsOnly,
  isManaged,
  isPattern,
  isTap,
  parsePatterns,
} from '../../../src/agent/wiring/managed.ts';

const MAC = '52:54:00:00:00:01';

describe('patterns of managed interfaces', () => {
  test.each([
    ['vnet*', ['vnet*']],
    [' vnet* , tap7 ', ['tap7', 'vnet*']],
    ['vnet1,vnet*,vnet12*,vnet*', ['vnet*']],
    ['ta*,tap', ['ta*']],
    ['tap.1_a-b', ['tap.1_a-b']],
    ['fifteen-letters', ['fifteen-letters']],
    ['fourteen-chars*', ['fourteen-chars*']],
    ['lon-*', ['lon-*']],
    ['vmn-*', ['vmn-*']],
  ])('%j is read as %j', (text, patterns) => {
    expect(parsePatterns(text)).toEqual(patterns);
  });

  test.each([
    ['', /'' is no name/],
    ['vnet*,', /'' is no name/],
    ['*', /'\*' matches more/],
    ['v*', /'v\*' matches more/],
    ['vn*t', /no name or prefix/],
    ['vnet**', /no name or prefix/],
    ['vnet?', /no name or prefix/],
    ['../x', /no name or prefix/],
    ['-vnet', /no name or prefix/],
    ['@set', /no name or prefix/],
    ['vnet 1', /no name or prefix/],
    ['vnet:1', /no name or prefix/],
    ['sixteen-letters-', /longer/],
    ['fifteen-letters*', /longer/],
    ['lo', /\(lo\)/],
    ['lo*', /\(lo\)/],
    ['et*', /\(eth…\)/],
    ['eth*', /\(eth…\)/],
    ['eth1*', /\(eth…\)/],
    ['eth0', /\(eth…\)/],
    ['en*', /\(en…\)/],
    ['enp3s0', /\(en…\)/],
    ['docker*', /\(docker…\)/],
    ['br-*', /\(br…\)/],
    ['virb*', /\(virbr…\)/],
    ['vi*', /\(virbr…\)/],
    ['vet*', /\(veth…\)/],
  ])('%j is refused', (text, message) => {
    let thrown: unknown;
    try {
      parsePatterns(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'VMN_USAGE',
      on: expect.stringMatching(message),
      remedy: expect.stringMatching(/^[A-Z].*\.$/),
    });
    expect(thrown).toMatchObject({ on: expect.stringContaining('--managed-interfaces') });
  });

  test('there are 32 of them at most, those that others cover not counted', () => {
    const many = Array.from({ length: 32 }, (_, index) => `tap${index + 10}`);
    expect(parsePatterns(many.join(','))).toHaveLength(32);
    expect(parsePatterns([...many, 'tap10', 'ta*'].join(','))).toEqual(['ta*']);
    expect(() => parsePatterns([...many, 'vnet*'].join(','))).toThrow(
      expect.objectContaining({ on: '--managed-interfaces: 33 patterns' }),
    );
  });

  test('a name matches by itself or by its beginning, and our own taps always', () => {
    const patterns = ['tap7', 'vnet*'];
    const managed = ['tap7', 'vnet', 'vnet0', 'vnet-a', 'vmn-0123456789'];
    expect(managed.filter((name) => !isManaged(name, patterns))).toEqual([]);
    expect(['tap', 'tap70', 'vne', 'xvnet0', 'vmn'].filter((name) => isManaged(name, patterns))).toEqual([]);
    expect([isManaged('vmn-1', []), isManaged('vnet0', [])]).toEqual([true, false]);
    expect([isPattern('vnet*'), isPattern('*')]).toEqual([true, false]);
  });

  test('only a tap is a tap: no layer 3 tunnel, no card, no veth', () => {
    expect(isTap({ kind: 'tun', mac: MAC })).toBe(true);
    expect(isTap({ kind: 'tun', mac: '' })).toBe(false);
    expect(isTap({ kind: '', mac: MAC })).toBe(false);
    expect(isTap({ kind: 'veth', mac: MAC })).toBe(false);
  });

  test.each([
    [{ name: 'nic0', kind: '', mac: MAC }, /'ni\*' matches nic0, which is a network card/],
    [{ name: 'nine', kind: 'veth', mac: MAC }, /'ni\*' matches nine, which is of kind veth/],
    [{ name: 'nix', kind: 'tun', mac: '' }, /'ni\*' matches nix, which is a tunnel/],
  ])('what would cut off %j is refused', (link, message) => {
    const tap = { name: 'nitap0', kind: 'tun', mac: MAC };
    expect(() => demandTapsOnly(['vnet*'], [tap, link])).not.toThrow();
    expect(() => demandTapsOnly(['ni*'], [tap])).not.toThrow();
    expect(() => demandTapsOnly(['vnet*', 'ni*'], [tap, link])).toThrow(
      expect.objectContaining({
        code: 'VMN_USAGE',
        on: expect.stringMatching(message),
        remedy: expect.stringContaining(`rename ${link.name}`),
      }),
    );
  });
});
