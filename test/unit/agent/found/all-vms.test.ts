import { describe, expect, test } from '@jest/globals';
import { merge } from '../../../../src/agent/discovery/all-vms.ts';
import type { HostCard, HostVm } from '../../../../src/agent/discovery/directory.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { servedKey } from '../../../../src/agent/userspace/engine-view.ts';
import { parseMacAddress } from '../../../../src/api/v1alpha1/mac-address.ts';

const OWN = identityOf('vm-a');

function card(
  mac: string,
  name: string,
  unsupported: string | null = null,
  netns: string | null = null,
): HostCard {
  return { mac, link: { netns, ifindex: 3, name }, unsupported, pid: 1, startTicks: '1' };
}

function vm(id: string, cards: readonly HostCard[]): HostVm {
  const interfaces = cards.map(({ mac, link, unsupported }) => ({
    mac: parseMacAddress(mac)!,
    ...(link === null ? {} : { name: link.name }),
    ...(unsupported === null ? {} : { unsupported }),
  }));
  return { reported: { id, name: id, labels: {}, interfaces }, cards };
}

const MAC = '52:54:00:00:00:01';

describe('all VMs of a host', () => {
  test('those that were found are told with what can filter their cards, or why nothing can', () => {
    const [found] = merge(
      [],
      [vm('vm-b', [card(MAC, 'tap0'), card('52:54:00:00:00:02', 'x', 'slirp')])],
      'tcx',
    );
    expect(found?.reported.interfaces).toEqual([
      { mac: MAC, name: 'tap0', engine: 'tcx' },
      { mac: '52:54:00:00:00:02', name: 'x', unsupported: 'slirp' },
    ]);
  });

  test('a VM on a tap of ours is told once, as its record has it', () => {
    const own = vm('vm-a', [card(OWN.guestMac, OWN.tap)]);
    expect(merge([own], [vm('some-uuid', [card(OWN.guestMac, OWN.tap)])], 'tcx')).toEqual([own]);
  });

  test('its other cards are told besides, under its own name if it is found by that', () => {
    const own = vm('vm-a', [card(OWN.guestMac, OWN.tap)]);
    const seen = [card(OWN.guestMac, OWN.tap), card(MAC, 'tap0')];
    const [one, ...none] = merge([own], [vm('vm-a', seen)], 'tcx');
    expect([one?.cards.map(({ mac }) => mac), none]).toEqual([[OWN.guestMac, MAC], []]);
    expect(merge([own], [vm('some-uuid', seen)], 'tcx').map(({ cards }) => cards.length)).toEqual([1, 1]);
  });

  test('a card that leads to an engine of ours is told by its record, and only that card of that process', () => {
    const own = vm('vm-a', [card(OWN.guestMac, OWN.tap)]);
    const onStream = { ...card(OWN.guestMac, '', 'it has no tap'), link: null };
    const served = new Set([servedKey(OWN.guestMac, 1, '1')]);
    expect(merge([own], [vm('some-uuid', [onStream])], 'tcx', served)).toEqual([own]);
    for (const other of [
      { ...onStream, pid: 2 },
      { ...onStream, startTicks: '2' },
      { ...onStream, mac: MAC },
    ]) {
      const cards = merge([own], [vm('some-uuid', [other])], 'tcx', served).flatMap((one) => one.cards);
      expect(cards).toContainEqual(other);
    }
  });

  test('a tap of such a name in another namespace is none of ours', () => {
    const found = vm('vm-b', [card(MAC, OWN.tap, null, 'net:[5]')]);
    expect(merge([], [found], 'tcx')[0]?.cards).toEqual(found.cards);
  });
});
