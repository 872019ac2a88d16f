import { expect, test } from '@jest/globals';
import { readNetworkText } from '../../../../src/agent/discovery/qmp/network-text.ts';
import { recorded } from '../../../support/discovery/recorded.ts';

test('what QEMU shows: kinds of cards, backends, and who is on a hub', () => {
  const text = readNetworkText(recorded('info-network.txt'));
  expect([...text.models]).toEqual(['e1000', 'rtl8139', 'virtio-net-pci']);
  expect(text.backends).toEqual([
    { id: '#net272', kind: 'user', interface: null, fds: [] },
    { id: '#net067', kind: 'user', interface: null, fds: [] },
    { id: 'net0', kind: 'tap', interface: 'hd-tap0', fds: [] },
    { id: 'net1', kind: 'tap', interface: 'hd-tap1', fds: [] },
  ]);
  expect(Object.fromEntries(text.ports)).toEqual({ hub0port1: [], hub0port0: ['#net272'] });
});

test('queues of one backend are one, with all their descriptors', () => {
  const { backends } = readNetworkText(' \\ n: index=0,type=tap,fd=21\r\n \\ n: index=1,type=tap,fd=22\r\n');
  expect(backends).toEqual([{ id: 'n', kind: 'tap', interface: null, fds: [21, 22] }]);
});

test('anything else is passed over', () => {
  expect(readNetworkText('no such command\nhub 0\n \\ hub0port0\nx: y\n').backends).toEqual([]);
});
