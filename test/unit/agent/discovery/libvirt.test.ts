import { describe, expect, test } from '@jest/globals';
import { readDomainStatus } from '../../../../src/agent/discovery/libvirt/domain-status.ts';
import { readXml } from '../../../../src/agent/discovery/libvirt/xml.ts';
import { recorded } from '../../../support/discovery/recorded.ts';

const domstatus = (interfaces: string, name = 'n'): string =>
  `<domstatus state='running' pid='7'><domain><name>${name}</name><uuid>6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12</uuid>` +
  `<devices>${interfaces}</devices></domain></domstatus>`;

/** `kind interface mac` of each card. */
const cards = (interfaces: string): string[] => {
  const { facts } = readDomainStatus(domstatus(interfaces)) ?? { facts: { cards: [], backends: [] } };
  return facts.cards.map(({ mac, backends }) => {
    const backend = facts.backends.find(({ id }) => id === backends[0]);
    return [backend?.kind, backend?.interface, mac].join(' ');
  });
};

describe('the status of a domain', () => {
  test('that libvirt wrote: who it is, its process, its cards with their interfaces', () => {
    expect(readDomainStatus(recorded('libvirt-status.xml'))).toEqual({
      pid: 16868,
      facts: {
        name: 'lv test',
        uuid: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c12',
        cards: [
          { device: 'virtio', mac: '52:54:00:bb:00:01', backends: ['hostnet0'] },
          { device: 'virtio', mac: '52:54:00:bb:00:02', backends: ['hostnet1'] },
          { device: 'e1000', mac: '52:54:00:bb:00:03', backends: ['hostnet2'] },
        ],
        backends: [
          { id: 'hostnet0', kind: 'tap', interface: 'lvtap0', fds: [] },
          { id: 'hostnet1', kind: 'tap', interface: 'vnet0', fds: [] },
          { id: 'hostnet2', kind: 'user', interface: null, fds: [] },
        ],
      },
    });
  });

  test('kinds of interfaces, and what a libvirt network came to be', () => {
    const mac = "<mac address='52:54:00:bb:00:01'/>";
    expect(
      cards(
        `<interface type='direct'>${mac}<target dev='macvtap0'/></interface>` +
          `<interface type='network'>${mac}<actual type='direct'/><target dev='macvtap1'/></interface>` +
          `<interface type='network'>${mac}<target dev='vnet7'/><alias name='net7'/></interface>` +
          `<interface type='vhostuser'>${mac}</interface>` +
          `<interface type='user'>${mac}<backend type='passt'/></interface>` +
          `<interface type='hostdev'>${mac}</interface>`,
      ),
    ).toEqual([
      'macvtap macvtap0 52:54:00:bb:00:01',
      'macvtap macvtap1 52:54:00:bb:00:01',
      'tap vnet7 52:54:00:bb:00:01',
      'vhost-user  52:54:00:bb:00:01',
      'passt  52:54:00:bb:00:01',
      '  52:54:00:bb:00:01',
    ]);
  });

  test.each([
    ['nothing', ''],
    ['no XML', 'domain'],
    ['another document', '<domain><name>n</name></domain>'],
    ['no process', '<domstatus><domain><name>n</name></domain></domstatus>'],
    ['a process that is none', "<domstatus pid='-1'><domain><name>n</name></domain></domstatus>"],
    ['no name', "<domstatus pid='7'><domain></domain></domstatus>"],
    ['its end missing in the name', "<domstatus pid='7'><domain><name>"],
  ])('is none: %s', (_, text) => {
    expect(readDomainStatus(text)).toBeNull();
  });

  test('a name is that of the domain, once, whatever else has one', () => {
    const text = domstatus('<x><name>other</name></x>', 'a &amp; b &#60;').replace(
      '</devices>',
      '</devices><name>last</name>',
    );
    expect(readDomainStatus(text)?.facts.name).toBe('a & b <');
  });
});

describe('XML', () => {
  const paths = (text: string): string[] => [...readXml(text)].map(({ kind, path }) => `${kind} ${path}`);

  test('elements, attributes in either quotes, comments, declarations', () => {
    expect([...readXml(`<?xml version="1.0"?><!-- <a> --><a x="1>" y='"'>t<b/></a>`)]).toEqual([
      {
        kind: 'open',
        path: 'a',
        attributes: new Map([
          ['x', '1>'],
          ['y', '"'],
        ]),
      },
      { kind: 'text', path: 'a', text: 't' },
      { kind: 'open', path: 'a/b', attributes: new Map() },
      { kind: 'close', path: 'a/b' },
      { kind: 'close', path: 'a' },
    ]);
  });

  test('entities are not expanded beyond the five, and a text of many is not dear', () => {
    expect([...readXml('<a>&lol;&#0;&#x41;&quot;</a>')][1]).toEqual({
      kind: 'text',
      path: 'a',
      text: '&lol;A"',
    });
    expect(paths(`<!DOCTYPE a [<!ENTITY b "c">]><a></a>`)).toContain('open a');
  });

  test('what never ends is left: depth, tags, comments', () => {
    expect(paths('<a>'.repeat(10_000)).length).toBeLessThan(100);
    expect(paths(`<a ${'x'.repeat(200_000)}>`)).toEqual([]);
    expect(paths('<!-- '.repeat(1000))).toEqual([]);
    expect(paths('</a></a>')).toEqual([]);
  });
});
