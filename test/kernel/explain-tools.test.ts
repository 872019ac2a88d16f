import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { ADDON_PATH } from '../../src/native/addon.ts';
import { Lab } from '../support/lab/index.ts';
import { executable, file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { manifest } from '../unit/cli/manifest-text.ts';
import { explained, Recording, SCENE } from './explain-recording.ts';

const { consumer, elsewhere, guestAddress, gatewayAddress } = SCENE;

interface Tool {
  readonly title: string;
  readonly words: readonly string[];
  /** `direction verdict reason decidingField` that its frames must have, and may have besides. */
  readonly must: readonly string[];
  readonly may?: readonly string[];
}

const PROTOCOL = ['from-vm drop Protocol ipv4.protocol', 'to-vm drop Protocol ipv4.protocol'] as const;
const REFUSED = 'to-vm drop Protocol ipv4.protocol'; // ICMP: port unreachable

/** What a guest's kernel and its neighbour say by themselves. */
const CHATTER = [
  'from-vm reply ArpAnswered arp.targetAddress',
  'to-vm allow ArpAnswered arp.senderAddress',
  'from-vm drop GroupMac ethernet.destination', // IPv6: who else is there?
  'to-vm drop ArpFromHost arp.operation', // the host looks for the guest
  'from-vm drop ArpNotGateway arp.operation', // and the guest answers
];

const nmap = (...options: readonly string[]): string[] => [
  'nmap',
  '-n',
  '-Pn',
  '--max-retries',
  '0',
  ...options,
  consumer,
];

const TOOLS: readonly Tool[] = [
  {
    title: 'ping elsewhere',
    words: ['ping', '-n', '-c', '1', '-W', '1', elsewhere],
    must: [...PROTOCOL, ...CHATTER.slice(0, 2)],
  },
  {
    title: 'ping with 3000 bytes',
    words: ['ping', '-n', '-c', '1', '-W', '1', '-s', '3000', elsewhere],
    must: ['from-vm drop IpFragment ipv4.moreFragments', 'from-vm drop IpFragment ipv4.fragmentOffset'],
    may: ['to-vm drop IpFragment ipv4.moreFragments', 'to-vm drop IpFragment ipv4.fragmentOffset'],
  },
  {
    title: 'ping of IPv6 neighbours',
    words: ['ping', '-6', '-n', '-c', '1', '-W', '1', 'ff02::1%eth0'],
    must: ['from-vm drop GroupMac ethernet.destination'],
  },
  {
    title: 'dig to a name server',
    words: ['dig', '+tries=1', '+time=1', `@${elsewhere}`, 'example.org'],
    must: ['from-vm drop DestinationAddress ipv4.destination'],
    may: [REFUSED],
  },
  {
    title: 'dig by TCP',
    words: ['dig', '+tcp', '+tries=1', '+time=1', `@${elsewhere}`, 'example.org'],
    must: PROTOCOL,
  },
  {
    title: "dig to the consumer's WireGuard port",
    words: [
      'dig',
      '+qid=4660',
      '-p',
      String(SCENE.port),
      '+tries=1',
      '+time=1',
      `@${consumer}`,
      'example.org',
    ],
    must: ['from-vm drop NotWireGuard wireguard.type'],
    may: [REFUSED],
  },
  {
    title: 'dhclient',
    words: ['timeout', '2', 'dhclient', '-1', '-d', '-sf', '/bin/true', '-lf', '/dev/null', 'eth0'],
    must: ['from-vm drop GroupMac ethernet.destination'],
  },
  {
    title: 'udhcpc',
    words: ['busybox', 'udhcpc', '-f', '-n', '-q', '-t', '1', '-T', '1', '-s', '/bin/true', '-i', 'eth0'],
    must: ['from-vm drop GroupMac ethernet.destination'],
  },
  {
    title: 'arping the gateway',
    words: ['arping', '-c', '1', '-w', '1', '-I', 'eth0', gatewayAddress],
    must: CHATTER.slice(0, 2),
  },
  {
    title: 'arping another VM',
    words: ['arping', '-c', '1', '-w', '1', '-I', 'eth0', '100.64.0.9'],
    must: ['from-vm drop ArpNotGateway arp.targetAddress'],
  },
  {
    title: 'arping an announcement',
    words: ['arping', '-c', '1', '-w', '1', '-U', '-I', 'eth0', guestAddress],
    must: ['from-vm drop ArpNotGateway arp.targetAddress'],
  },
  {
    title: 'curl',
    words: ['curl', '-s', '--max-time', '1', `http://${consumer}/`],
    must: PROTOCOL,
  },
  {
    title: 'traceroute',
    words: ['busybox', 'traceroute', '-n', '-m', '1', '-q', '1', '-w', '1', elsewhere],
    must: ['from-vm drop DestinationAddress ipv4.destination'],
    may: [REFUSED],
  },
  {
    title: 'nmap of TCP and UDP ports',
    words: nmap('-sS', '-sU', '-p', `U:53,${SCENE.port},T:22,${SCENE.port}`),
    must: [
      ...PROTOCOL,
      'from-vm drop DestinationPort udp.destinationPort',
      'from-vm drop NotWireGuard wireguard.type',
    ],
  },
  {
    title: 'nmap in fragments',
    words: nmap('-sS', '-f', '-p', '22'),
    must: ['from-vm drop IpFragment ipv4.moreFragments', 'from-vm drop IpFragment ipv4.fragmentOffset'],
    may: PROTOCOL,
  },
  {
    title: 'nmap with a record of the route',
    words: nmap('-sU', '--ip-options', 'R', '-p', String(SCENE.port)),
    must: ['from-vm drop IpOptions ipv4.headerLength'],
    may: ['to-vm drop IpOptions ipv4.headerLength'],
  },
  {
    title: 'nmap with a TTL of 0',
    words: nmap('-sU', '--ttl', '0', '-p', String(SCENE.port)),
    must: ['from-vm drop IpTtl ipv4.ttl'],
    may: [REFUSED],
  },
  {
    // Last: the world now believes the false MAC.
    title: 'nmap with a false MAC',
    words: nmap('-sS', '--spoof-mac', '02:00:00:00:00:09', '-p', '22'),
    must: ['from-vm drop SourceMac ethernet.source'],
  },
];

const { describe } = requires(
  root,
  executable('tcpdump'),
  executable('ethtool'),
  file(ADDON_PATH, 'make build'),
);

describe('explain, of captures of real tools', () => {
  let lab: Lab;
  let recording: Recording;
  let policy: string;

  beforeAll(async () => {
    lab = await Lab.create('explain');
    recording = await Recording.open(lab);
    policy = join(lab.scratch, 'policy.yaml');
    writeFileSync(policy, manifest());
  }, 30_000);
  afterAll(async () => {
    await lab?.close();
  }, 30_000);

  for (const { title, words, must, may = [] } of TOOLS) {
    requires(...programsOf(words).map(executable)).test(title, async () => {
      const pcap = await recording.record(() => recording.guest.exec(words, { timeoutMs: 15_000 }));
      const { rows, stderr, code } = await explained(pcap, policy, '--engine', 'all');
      const said = rows.map((row) => `${row.direction} ${row.verdict} ${row.reason} ${row.decidingField}`);
      expect(said).toEqual(expect.arrayContaining([...must]));
      expect([...new Set(said)].filter((line) => ![...must, ...may, ...CHATTER].includes(line))).toEqual([]);
      // Every engine says something of every frame, and the same.
      expect(new Set(rows.map(({ engine }) => engine))).toEqual(new Set(['ebpf', 'c', 'ts']));
      expect([stderr, code]).toEqual(['', 0]);
    });
  }
});

/** `timeout 2 dhclient …` needs both. */
function programsOf([first = '', second = '', third = '']: readonly string[]): string[] {
  return first === 'timeout' ? [first, third || second] : [first];
}
