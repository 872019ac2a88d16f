import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { guestFiles } from '../../src/cloudinit/documents/guest-files/all.ts';
import { seedDocuments } from '../../src/cloudinit/documents/seed-documents.ts';
import { CloudInit } from '../support/cloud-init/cloud-init.ts';
import {
  ENDPOINT,
  exampleGuest,
  GATEWAY,
  GUEST_ADDRESS,
  MAC,
  PRIVATE_KEY,
} from '../support/cloud-init/guests.ts';
import { LegacyIptables } from '../support/cloud-init/iptables.ts';
import { capture, Lab, mustRun, poll, type Namespace } from '../support/lab/index.ts';
import { executable, file, optional, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/*
 * A network namespace as the guest, its card a cable to another that is host and consumer; a cable called wg0 stands for the
 * tunnel. What the card sends is judged at the far end of the cable.
 */

const { asked, there } = await CloudInit.find();
const { iptables, there: haveIptables } = await LegacyIptables.find();

const NETWORKD = '/lib/systemd/systemd-networkd';
const ELSEWHERE = '198.51.100.7';

let lab: Lab;
let guest: Namespace;
let host: Namespace;

beforeEach(async () => {
  lab = await Lab.create('fw');
  guest = await lab.namespace('guest', { ipv6: true });
  host = await lab.namespace('host');
  await guest.sysctl('net.ipv6.conf.default.accept_dad', 0); // else IPv6 is mute for its first second
  await lab.connect(guest, host, { nameA: 'vmnet0', nameB: 'far0', macA: MAC, addressB: `${GATEWAY}/32` });
  await lab.connect(guest, host, {
    nameA: 'wg0',
    nameB: 'far1',
    addressA: '10.99.0.2/24',
    addressB: '10.99.0.1/24',
  });
  await host.run(['ip', 'address', 'add', `${ENDPOINT.address}/32`, 'dev', 'lo']);
  await host.run(['ip', 'route', 'add', `${GUEST_ADDRESS}/32`, 'dev', 'far0']);
});
afterEach(() => lab.close());

async function configureCard(): Promise<void> {
  await guest.run(['ip', 'address', 'add', `${GUEST_ADDRESS}/32`, 'dev', 'vmnet0']);
  await guest.run(['ip', 'route', 'add', 'default', 'via', GATEWAY, 'dev', 'vmnet0', 'onlink']);
}

/** What runs in a guest tries: the handshake, and each way out that has nothing to do with it. */
const TRIES = `
exec 2>/dev/null
udp() { echo x >"/dev/udp/$1/$2"; }
tcp() { timeout 0.2 bash -c "echo x >/dev/tcp/$1/$2"; }
udp ${ENDPOINT.address} ${ENDPOINT.port}
udp ${ENDPOINT.address} ${ENDPOINT.port + 1}
udp ${ELSEWHERE} ${ENDPOINT.port}
udp ${ELSEWHERE} 53
udp ${GATEWAY} 67
tcp ${ENDPOINT.address} ${ENDPOINT.port}
tcp ${ELSEWHERE} 443
ping -n -c 1 -W 0.2 ${ENDPOINT.address}
ping -n -c 1 -W 0.2 ${GATEWAY}
ping -n -c 1 -W 0.2 ff02::1%vmnet0
exit 0
`;

/** Frames from the guest's card, each as one word or two that say what it is. */
function kinds(frames: readonly Uint8Array[]): string[] {
  const mac = MAC.replaceAll(':', '');
  return frames
    .map((frame) => Buffer.from(frame))
    .filter((frame) => frame.toString('hex', 6, 12) === mac)
    .map((frame) => {
      const type = frame.readUInt16BE(12);
      if (type === 0x0806) return `arp ${[...frame.subarray(38, 42)].join('.')}`;
      if (type !== 0x0800) return `ethertype ${type.toString(16)}`;
      const protocol = frame.readUInt8(23);
      const to = [...frame.subarray(30, 34)].join('.');
      return protocol === 17 ? `udp ${to}:${frame.readUInt16BE(36)}` : `protocol ${protocol}`;
    });
}

const HANDSHAKE = `udp ${ENDPOINT.address}:${ENDPOINT.port}`;
const HARMLESS = [`arp ${GATEWAY}`, HANDSHAKE];
const escapes = (frames: readonly Uint8Array[]): string[] =>
  kinds(frames).filter((kind) => !HARMLESS.includes(kind));

/** What cloud-init runs at boot, in the guest with an /etc and a /run of its own; `prepare` goes before it. */
async function boot(script: string, prepare = ''): Promise<string> {
  const path = guest.scratchFile('boot.sh');
  writeFileSync(path, script);
  const shell = `
    mount -t tmpfs tmpfs /etc && mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys || exit 1
    ${prepare}
    sh ${path}
    echo "status $?"
    cd /etc && stat -c '%a %u %n' wireguard/* vmnetwork/*`;
  return guest.run(['unshare', '--mount', 'sh', '-c', shell]);
}

const contents = (): Record<string, string> =>
  Object.fromEntries(guestFiles(exampleGuest()).map(({ path, content }) => [path, content]));

const NFT = await mustRun(['sh', '-c', 'PATH=/usr/sbin:/sbin:$PATH readlink -f "$(command -v nft)"']).catch(
  () => '',
);

/** How the script that loads the firewall finds the guest: in a mount namespace that `prepare` furnishes. */
async function load(prepare: string): Promise<void> {
  const folder = guest.scratchFile('vmnetwork');
  mkdirSync(folder, { recursive: true });
  for (const [path, content] of Object.entries(contents()))
    if (path.startsWith('/etc/vmnetwork/'))
      writeFileSync(join(folder, path.slice('/etc/vmnetwork/'.length)), content);
  const shell = `
    mount -t tmpfs tmpfs /etc && mkdir /etc/vmnetwork && mount --bind ${folder} /etc/vmnetwork || exit 1
    ${prepare}
    # Twice: as at every boot, and whenever the rules change.
    sh /etc/vmnetwork/load-firewall && sh /etc/vmnetwork/load-firewall`;
  await guest.run(['unshare', '--mount', 'sh', '-c', shell]);
}

/** A guest without nft, and with the programs of the old iptables. */
function withoutNft(): string {
  const programs = guest.scratchFile('sbin');
  iptables.putInto(programs);
  return `mount --bind /etc/vmnetwork/card-mac ${NFT.trim()} && mount --bind ${programs} /usr/local/sbin || exit 1`;
}

const guests = [
  { kind: 'nft', prepare: () => '', needs: [] },
  { kind: 'iptables-legacy', prepare: withoutNft, needs: [haveIptables] },
];

for (const { kind, prepare, needs } of guests) {
  const { describe, test } = requires(root, executable('nft'), executable('tcpdump'), ...needs);

  describe(`the guest firewall by ${kind}`, () => {
    test('lets nothing leave by the card but the flow to the endpoint and ARP for the gateway', async () => {
      await configureCard();
      const before = await capture(host, 'far0');
      await guest.run(['bash', '-c', TRIES]);
      await before.drain();
      // Without it every try is seen: they are real.
      expect(new Set(escapes(before.frames()))).toEqual(
        new Set([
          `udp ${ENDPOINT.address}:${ENDPOINT.port + 1}`,
          `udp ${ELSEWHERE}:${ENDPOINT.port}`,
          `udp ${ELSEWHERE}:53`,
          `udp ${GATEWAY}:67`,
          'protocol 6',
          'protocol 1',
          'ethertype 86dd',
        ]),
      );
      await before.stop();

      await load(prepare());
      const after = await capture(host, 'far0');
      await guest.run(['bash', '-c', TRIES]);
      await after.drain();
      expect(escapes(after.frames())).toEqual([]);
      expect(kinds(after.frames())).toContain(HANDSHAKE);
      // The tunnel carries what it is given.
      await guest.run(['ping', '-n', '-c', '1', '-W', '5', '10.99.0.1']);
      await host.run(['ping', '-n', '-c', '1', '-W', '5', '10.99.0.2']);
    });

    test('answers nothing that comes in by the card, and takes in what the endpoint sends from its port', async () => {
      await configureCard();
      await load(prepare());
      const seen = await capture(host, 'far0');
      const listener = guest.spawn(['bash', '-c', 'exec python3 -c "$0"', LISTEN], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let heard = '';
      listener.stdout?.setEncoding('utf8').on('data', (text: string) => (heard += text));
      await poll('the listener in the guest', () => heard.startsWith('ready'));
      const send = (from: string, port: number, text: string): Promise<string> =>
        host.run(['python3', '-c', SEND, from, String(port), text]);
      await send(ENDPOINT.address, ENDPOINT.port + 1, 'from another port');
      await send(GATEWAY, ENDPOINT.port, 'from another address');
      await host.exec(['ping', '-n', '-c', '1', '-W', '0.2', '-I', ENDPOINT.address, GUEST_ADDRESS]);
      await host.exec(['timeout', '0.2', 'bash', '-c', `echo x >/dev/tcp/${GUEST_ADDRESS}/22`]);
      await send(ENDPOINT.address, ENDPOINT.port, 'from the endpoint');
      await poll('the datagram of the endpoint', () => heard.includes('endpoint'));
      expect(heard).toBe('ready\nfrom the endpoint\n');
      await seen.drain();
      expect(kinds(seen.frames()).filter((kind) => !kind.startsWith('arp'))).toEqual([]);
    });
  });
}

const LISTEN = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 40000)); print("ready", flush=True)
while True: print(s.recv(100).decode(), flush=True)`;
const SEND = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], int(sys.argv[2])))
s.sendto(sys.argv[3].encode(), ("${GUEST_ADDRESS}", 40000))`;

const booted = requires(root, executable('nft'), executable('tcpdump'), there);

booted.describe('the first boot', () => {
  async function bootScript(): Promise<string> {
    const userData = Buffer.from('#cloud-config\nbootcmd: [echo tenant]\n');
    const [seen] = await asked.consume(seedDocuments(exampleGuest(), { delivery: 'VendorData', userData }));
    return seen!.bootScript;
  }

  booted.test(
    'writes the files, keys for root only, and has the firewall in force before the tenant’s commands',
    async () => {
      const said = await boot(`${await bootScript()}nft list chain inet vmnet_guest out | grep policy\n`);
      const lines = said.split('\n');
      expect(lines).toEqual(expect.arrayContaining(['status 0', 'tenant', '600 0 wireguard/wg0.conf']));
      expect(lines.filter((line) => line.includes('firewall.'))).toHaveLength(3);
      expect(said).toContain('policy drop');
      expect(lines.indexOf('tenant')).toBeLessThan(lines.findIndex((line) => line.includes('policy drop')));
      expect(said).not.toContain(PRIVATE_KEY);
    },
  );

  booted.test('leaves the card down when the rules do not load, and not one frame leaves', async () => {
    const broken = guest.scratchFile('nft');
    writeFileSync(broken, '#!/bin/sh\nexit 1\n');
    chmodSync(broken, 0o755);
    // The kernel's own chatter on a card that is up would be counted.
    await guest.sysctl('net.ipv6.conf.vmnet0.disable_ipv6', 1);
    await configureCard();
    const sentBefore = await sentByCard();
    const said = await boot(await bootScript(), `mount --bind ${broken} ${NFT.trim()}`);
    expect(said).toContain('tenant');
    expect(await guest.run(['ip', '-br', 'link', 'show', 'dev', 'vmnet0'])).not.toContain('UP');
    await guest.exec(['bash', '-c', TRIES]);
    expect(await sentByCard()).toBe(sentBefore);
  });

  /** Frames that the card ever sent. Its far end has no carrier while it is down, and nothing to be seen on it. */
  async function sentByCard(): Promise<number> {
    const [link] = JSON.parse(await guest.run(['ip', '-j', '-s', 'link', 'show', 'dev', 'vmnet0'])) as {
      stats64: { tx: { packets: number } };
    }[];
    return link!.stats64.tx.packets;
  }
});

const managed = requires(root, executable('tcpdump'), there, optional(file(NETWORKD, 'install systemd')));

managed.test(
  'systemd-networkd brings the card up from what cloud-init writes for it, silently, with its gateway',
  async () => {
    await guest.run(['ip', 'link', 'set', 'vmnet0', 'down']);
    const seen = await capture(host, 'far0');
    const documents = seedDocuments(exampleGuest(), { delivery: 'VendorData', userData: Buffer.of() });
    const [rendered] = await asked.render(documents, MAC, ['networkd']);
    const folder = guest.scratchFile('etc');
    const ours = Object.entries(contents()).map(([path, content]): [string, string] => [
      path.slice(1),
      content,
    ]);
    for (const [path, content] of [...Object.entries(rendered ?? {}), ...ours]) {
      if (!path.startsWith('etc/systemd/network/')) continue;
      const to = join(folder, path.slice('etc/systemd/network/'.length));
      mkdirSync(join(to, '..'), { recursive: true });
      writeFileSync(to, content);
    }
    const shell = `
    mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
    chown -R systemd-network /run/systemd/netif 2>/dev/null
    mkdir -p /etc/systemd/network && mount --bind ${folder} /etc/systemd/network
    mount -t sysfs -o ro sysfs /sys
    exec ${NETWORKD}`;
    let said = '';
    const networkd = guest.spawn(['unshare', '--mount', 'sh', '-c', shell], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    networkd.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const routes = (): Promise<string> => guest.run(['ip', 'route', 'show', 'dev', 'vmnet0']);
    await poll('the default route', async () => (await routes()).includes(`default via ${GATEWAY}`), {
      detail: () => said,
    });
    await host.run(['ping', '-n', '-c', '1', '-W', '5', '-I', GATEWAY, GUEST_ADDRESS]);
    await seen.drain();
    const answers = [`arp ${GATEWAY}`, 'protocol 1'];
    expect(kinds(seen.frames()).filter((kind) => !answers.includes(kind))).toEqual([]);
  },
);
