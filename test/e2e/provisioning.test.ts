/**
 * A real Debian 12, and then a Debian 13 with netplan, that boots with our seed, its network held by the filter alone, and a real WireGuard at the
 * consumer's end. Two guests boot at once: one as anybody's, and one whose nft does not work. The tests go on where the one before left
 * them.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { parseGuest } from '../../src/cloudinit/documents/guest.ts';
import { seedDocuments } from '../../src/cloudinit/documents/seed-documents.ts';
import { writeSeedImage } from '../../src/cloudinit/seed-image/image-file.ts';
import { noCloudFiles } from '../../src/cloudinit/seed-image/no-cloud.ts';
import { bootDebian, booted, ownDevices, reboot } from '../support/debian-guest/boot.ts';
import { CONSUMER_INSIDE, keyPair } from '../support/debian-guest/consumer-tunnel.ts';
import { DEBIAN_12, DEBIAN_13, type Distribution } from '../support/debian-guest/distribution.ts';
import { ensureDebianImage, type DebianImage } from '../support/debian-guest/image.ts';
import { DEBIAN_NEEDS } from '../support/debian-guest/needs.ts';
import { ASKS_GATEWAY, EXPECTED, HANDSHAKE, sentBy } from '../support/debian-guest/sent.ts';
import { DebianStage, ENDPOINT, GATEWAY } from '../support/debian-guest/stage.ts';
import { mebibyteThroughTunnel } from '../support/debian-guest/tunnel-echo.ts';
import type { Guest } from '../support/guest/index.ts';
import { capture, Lab, poll, type Capture } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';

/** A cold cache, then two boots under emulation. */
const OPEN_TIMEOUT_MS = 600_000;
const HANDSHAKE_DEADLINE_MS = 30_000;

const WHOLE = { tap: 'deb-whole', mac: '02:76:00:00:de:01', address: '100.64.0.7', inside: '10.99.0.2' };
const BROKEN = { tap: 'deb-broken', mac: '02:76:00:00:de:02', address: '100.64.0.8', inside: '10.99.0.3' };
type Vm = typeof WHOLE;

const USER_DATA = `#cloud-config
# The tenant's own: the blanks   and the ünicode stay as they are.
bootcmd:
  - echo boot >>/var/lib/tenant-boots
write_files:
  - {path: /etc/tenant, permissions: '0640', content: "of the tenant\\n"}
runcmd:
  - [sh, -c, 'echo once >>/var/lib/tenant-once']
`;

function provisioned(what: string, distribution: Distribution): void {
  const { describe, test } = requires(...DEBIAN_NEEDS);

  describe(`a real ${what} with our seed`, () => {
    let lab: Lab;
    let stage: DebianStage;
    let image: DebianImage;
    let guest: Guest;
    let broken: Guest;
    let privateKey: string;
    let publicKey: string;
    let seen: Capture;
    let seenOfBroken: Capture;

    beforeAll(async () => {
      image = await ensureDebianImage(distribution);
      lab = await Lab.create(distribution.name);
      stage = await DebianStage.open(lab);
      ({ privateKey, publicKey } = await keyPair(stage.host));
      await stage.tunnel.admit({ publicKey, address: WHOLE.inside });
      const other = await keyPair(stage.host);
      await stage.tunnel.admit({ publicKey: other.publicKey, address: BROKEN.inside });
      for (const card of [WHOLE, BROKEN]) await stage.plug(card);
      seen = await capture(stage.host, WHOLE.tap);
      seenOfBroken = await capture(stage.host, BROKEN.tap);
      [guest, broken] = await Promise.all([
        boot('whole', WHOLE, privateKey),
        boot('broken', BROKEN, other.privateKey, 'usr/sbin/nft'),
      ]);
      await Promise.all([booted(guest), booted(broken)]);
    }, OPEN_TIMEOUT_MS);
    afterAll(async () => {
      await Promise.all([guest?.stop(), broken?.stop()]);
      await lab?.close();
    }, 60_000);

    async function boot(name: string, vm: Vm, key: string, without?: string): Promise<Guest> {
      const documents = seedDocuments(
        parseGuest({
          vmName: name,
          instance: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11',
          card: { mac: vm.mac, address: vm.address, gateway: GATEWAY, mtu: 1500 },
          endpoint: ENDPOINT,
          tunnel: {
            privateKey: key,
            peerPublicKey: stage.tunnel.publicKey,
            addresses: [`${vm.inside}/32`],
            dns: [CONSUMER_INSIDE],
          },
        }),
        { delivery: 'VendorData', userData: Buffer.from(USER_DATA) },
      );
      const seed = join(lab.scratch, `${name}.iso`);
      await writeSeedImage(seed, noCloudFiles(documents));
      return bootDebian({
        ...{ name, image, scratch: lab.scratch, devices: ownDevices(seed, vm) },
        ...(without === undefined ? {} : { broken: without }),
        spawn: (argv) => stage.host.spawn(argv, { stdio: ['ignore', 'pipe', 'pipe'] }),
      });
    }

    const lines = (text: string): string[] => text.trimEnd().split('\n');
    const started = async (unit: string): Promise<number> =>
      Number(await guest.must(`systemctl show --value -p ExecMainStartTimestampMonotonic ${unit}`));
    const handshake = (): Promise<number> => stage.tunnel.handshake(publicKey);
    /** All that the guest sent since its tap was there, none missed. */
    const sent = async (): Promise<string[]> => {
      const all = async () => {
        const frames = sentBy(WHOLE, seen.frames());
        return frames.length === (await stage.sentBy(WHOLE.tap)) ? frames : null;
      };
      return poll('every frame of the guest in the capture', all);
    };
    const unexpected = async (): Promise<string[]> =>
      (await sent()).filter((frame) => !EXPECTED.includes(frame));

    test('[CI-2] cloud-init finds the image by its label, reads all of it before the network, and finds nothing wrong', async () => {
      const said = await guest.must('cloud-init status --long');
      expect(said).toContain('status: done');
      expect(said).toContain('DataSourceNoCloud [seed=/dev/vdb][dsmode=local]');
      const result = await guest.must('cat /run/cloud-init/result.json');
      expect(JSON.parse(result)).toMatchObject({ v1: { errors: [] } });
      const complaints = await guest.run('grep -E "WARNING|ERROR" /var/log/cloud-init.log');
      // Of the image, which has no sshd, not of the seed.
      expect(complaints.output.split('\n').filter((line) => line !== '' && !/ssh/i.test(line))).toEqual([]);
      expect(await guest.must('cloud-init schema --system', 60_000)).not.toMatch(/error|invalid/i);
      expect(await guest.must('hostname')).toBe('whole\n');
    }, 120_000);

    test('[CI-3] the tunnel is up with its peer, the firewall drops by default, and the key is for root only', async () => {
      expect(await guest.must('wg show wg0 peers')).toBe(`${stage.tunnel.publicKey}\n`);
      expect(await guest.must('wg show wg0 endpoints')).toContain(`${ENDPOINT.address}:${ENDPOINT.port}`);
      const rules = await guest.must('nft list table inet vmnet_guest');
      for (const hook of ['input', 'output', 'forward'])
        expect(rules).toContain(`type filter hook ${hook} priority filter; policy drop;`);
      expect(
        lines(await guest.must('cut -d: -f2 /etc/shadow | sort -u')).filter((hash) => !/^[!*]+$/.test(hash)),
      ).toEqual([]);
      const asNobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups';
      const search = `${asNobody} grep -rlF -f - /etc /run /var /tmp /home /root /usr/local 2>/dev/null <<'KEY'\n${privateKey}\nKEY\n`;
      expect(await guest.run(search, 60_000)).toMatchObject({ output: '' });
      expect(await guest.must(search.replace(asNobody, ''), 60_000)).toContain('/etc/wireguard/wg0.conf\n');
    }, 120_000);

    test('[E2E-1] there is a handshake with the consumer, and data flows both ways through the tunnel', async () => {
      await poll('a handshake', async () => (await handshake()) > 0, { deadlineMs: HANDSHAKE_DEADLINE_MS });
      await guest.must(`ping -n -c 1 -W 10 ${CONSUMER_INSIDE}`);
      await stage.consumer.run(['ping', '-n', '-c', '1', '-W', '10', WHOLE.inside]);
      expect(await mebibyteThroughTunnel(stage.consumer, guest)).toBe('the same\n');
    }, 120_000);

    test('[CI-4] the firewall was in force before the network was started, and the network before the tunnel', async () => {
      const [firewall, network, tunnel] = [
        Number(
          await guest.must('systemctl show --value -p ActiveEnterTimestampMonotonic vmnet-guest-firewall'),
        ),
        await started('systemd-networkd'),
        await started('wg-quick@wg0'),
      ];
      expect(firewall).toBeGreaterThan(0);
      expect(network).toBeGreaterThan(firewall);
      expect(tunnel).toBeGreaterThan(network);
    });

    test('[CI-4] not one frame left but ARP for the gateway and the tunnel, whatever is tried', async () => {
      await guest.run(
        `for to in 198.51.100.7 ${GATEWAY} ${ENDPOINT.address}; do ping -n -c 1 -W 1 -I vmnet0 $to; done; ping -n -c 1 -W 1 ff02::1%vmnet0`,
      );
      await guest.run(`bash -c 'echo x >/dev/udp/${ENDPOINT.address}/${ENDPOINT.port + 1}'`);
      expect(await unexpected()).toEqual([]);
      expect((await sent()).slice(0, 2)).toEqual([ASKS_GATEWAY, HANDSHAKE]);
    });

    test('[CI-6] the tenant’s user-data is there to the letter, and was done', async () => {
      expect(await guest.must('cat /var/lib/cloud/instance/user-data.txt')).toBe(USER_DATA);
      expect(await guest.must('stat -c %a /etc/tenant && cat /etc/tenant')).toBe('640\nof the tenant\n');
      expect(await guest.must('cat /var/lib/tenant-once')).toBe('once\n');
      expect(lines(await guest.must('cat /var/lib/tenant-boots'))).toHaveLength(1);
    });

    test('[CI-4] where the rules do not load, the network stays down and no frame leaves, not for root either', async () => {
      expect(await broken.must('cat /etc/tenant')).toBe('of the tenant\n');
      expect((await broken.run('systemctl start systemd-networkd', 60_000)).code).not.toBe(0);
      expect((await broken.run('systemctl start wg-quick@wg0', 60_000)).code).not.toBe(0);
      expect((await broken.run('systemctl is-active systemd-networkd')).output).not.toBe('active\n');
      expect((await broken.run('ip link show dev wg0')).code).not.toBe(0);
      expect(await broken.must('ip -br link')).not.toMatch(/\bUP\b.*02:76:/);
      expect((await broken.run(`ping -n -c 1 -W 1 ${ENDPOINT.address}`)).code).not.toBe(0);
      expect(sentBy(BROKEN, seenOfBroken.frames())).toEqual([]);
      expect(await stage.sentBy(BROKEN.tap)).toBe(0);
      await broken.stop();
    }, 180_000);

    test('[CI-5] [E2E-5] after a reboot firewall and tunnel are back, and again nothing else has left', async () => {
      const before = (await sent()).length;
      const last = await handshake();
      await reboot(guest);
      await booted(guest);
      await poll('another handshake', async () => (await handshake()) > last, {
        deadlineMs: HANDSHAKE_DEADLINE_MS,
      });
      await guest.must(`ping -n -c 1 -W 10 ${CONSUMER_INSIDE}`);
      expect(await guest.must('nft list table inet vmnet_guest')).toContain(
        'hook output priority filter; policy drop;',
      );
      expect(await unexpected()).toEqual([]);
      expect((await sent()).slice(before)).toContain(HANDSHAKE);
      // The same instance: what is done once was not done again.
      expect(lines(await guest.must('cat /var/lib/tenant-boots'))).toHaveLength(2);
      expect(await guest.must('cat /var/lib/tenant-once')).toBe('once\n');
    }, 600_000);
  });
}

provisioned('Debian 12', DEBIAN_12);
provisioned('Debian 13 with netplan', DEBIAN_13);
