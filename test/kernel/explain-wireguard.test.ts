import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ADDON_PATH } from '../../src/native/addon.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { manifest } from '../unit/cli/manifest-text.ts';
import { explained, Recording, SCENE } from './explain-recording.ts';

const { describe } = requires(
  root,
  executable('wireguard-go'),
  executable('wg'),
  executable('ping'),
  file('/dev/net/tun', 'modprobe tun'),
  file(ADDON_PATH, 'make build'),
);

interface Keys {
  readonly own: string;
  readonly peer: string;
}

describe('explain, of a capture of a real WireGuard', () => {
  let lab: Lab;
  let pcap: string;

  beforeAll(async () => {
    lab = await Lab.create('explainwg');
    const { guest, world, record } = await open(lab);
    const [mine, theirs] = [await keyOf(guest), await keyOf(world)];
    pcap = await record(async () => {
      const listening = ['listen-port', String(SCENE.port)];
      await tunnel(world, 'w', { own: theirs.key, peer: mine.pub }, '10.99.0.1/24', listening, []);
      const calling = ['endpoint', `${SCENE.consumer}:${SCENE.port}`, 'persistent-keepalive', '25'];
      await tunnel(guest, 'g', { own: mine.key, peer: theirs.pub }, '10.99.0.2/24', [], calling);
      await poll(
        'a handshake',
        async () => !/\t0$/m.test(await guest.run(['wg', 'show', 'all', 'latest-handshakes'])),
      );
      // From nothing to the most that fits into the tunnel: WireGuard pads to 16 bytes, but not beyond the MTU.
      for (const bytes of [0, 56, 1000, 1392])
        await guest.run(['ping', '-n', '-c', '1', '-W', '5', '-s', String(bytes), '10.99.0.1']);
    });
  }, 60_000);
  afterAll(async () => {
    await lab?.close();
  }, 30_000);

  test('handshake, data and keepalives pass, both ways, by every engine and in every mode', async () => {
    for (const mode of ['Filtered', 'Conntrack', 'Sampled']) {
      const { rows, stderr, code } = await explained(pcap, policy(mode), '--engine', 'all');
      const messages = rows.filter(({ summary }) => summary.includes(`:${SCENE.port}`));
      expect(messages.filter(({ verdict }) => verdict !== 'allow')).toEqual([]);
      for (const message of ['handshake initiation', 'handshake response', 'transport data', 'keepalive'])
        expect(messages.map(({ summary }) => summary).join('\n')).toContain(`WireGuard ${message}`);
      expect(code).toBe(0);
      if (mode !== 'Sampled') expect(stderr).toBe('');
    }
  });

  test('Conntrack: all but the first message belongs to a known flow', async () => {
    const { rows } = await explained(pcap, policy('Conntrack'), '--engine', 'c');
    const reasons = rows.filter(({ verdict }) => verdict === 'allow').map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'Allowed')).toHaveLength(1);
    expect(reasons.filter((reason) => reason === 'AllowedFlow').length).toBeGreaterThan(5);
  });

  test('for the policy of another consumer it goes to the wrong address', async () => {
    const other = write(manifest({ endpoint: '203.0.113.11' }), 'other.yaml');
    const { rows } = await explained(pcap, other, '--engine', 'c,ts');
    const messages = rows.filter(({ summary }) => summary.includes('WireGuard'));
    expect(new Set(messages.map(({ direction, reason }) => `${direction} ${reason}`))).toEqual(
      new Set(['from-vm DestinationAddress', 'to-vm SourceAddress']),
    );
  });

  async function open(of: Lab): Promise<{ guest: Namespace; world: Namespace; record: Recording['record'] }> {
    const recording = await Recording.open(of);
    return { guest: recording.guest, world: recording.world, record: (act) => recording.record(act) };
  }

  /** wireguard-go as `wg0` of a namespace; it ends with the lab. */
  async function tunnel(
    namespace: Namespace,
    suffix: string,
    { own, peer }: Keys,
    address: string,
    listening: readonly string[],
    calling: readonly string[],
  ): Promise<void> {
    // wireguard-go keeps its control socket in one folder for all namespaces.
    const name = `vmx${process.pid}${suffix}`;
    lab.undoLater(`rm -f /var/run/wireguard/${name}.sock`);
    const child = namespace.spawn(['wireguard-go', '-f', name], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const isUp = async (): Promise<boolean> => (await namespace.exec(['wg', 'show', name])).code === 0;
    await poll(`wireguard-go ${name}`, isUp, { detail: () => said });
    const key = write(`${own}\n`, name);
    const to = ['peer', peer, 'allowed-ips', '10.99.0.0/24', ...calling];
    await namespace.run(['wg', 'set', name, ...listening, 'private-key', key, ...to]);
    await namespace.run(['ip', 'address', 'add', address, 'dev', name]);
    await namespace.run(['ip', 'link', 'set', name, 'mtu', '1420', 'up']);
  }

  function policy(mode: string): string {
    return write(manifest({ more: `  mode: ${mode}\n` }), `${mode}.yaml`);
  }

  function write(text: string, name: string): string {
    const path = join(lab.scratch, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
});

async function keyOf(namespace: Namespace): Promise<{ key: string; pub: string }> {
  const key = (await namespace.run(['wg', 'genkey'])).trim();
  return { key, pub: (await namespace.run(['wg', 'pubkey'], { input: `${key}\n` })).trim() };
}
