/**
 * The whole story in a cluster: the real API server, controller, agent and kernel, a real WireGuard at the consumer's end, and a real
 * Debian that somebody else started, with a CD-ROM drive that is empty. The tests go on where the one before left them.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { bootDebian, cardDevices } from '../support/debian-guest/boot.ts';
import { CONSUMER_INSIDE, ConsumerTunnel } from '../support/debian-guest/consumer-tunnel.ts';
import { ensureDebianImage } from '../support/debian-guest/image.ts';
import type { Guest } from '../support/guest/index.ts';
import { capture, mustRun, poll, type Capture } from '../support/lab/index.ts';
import { executable } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { ClusterLab } from '../support/stage/cluster-lab.ts';
import { CLUSTER_NEEDS } from '../support/stage/cluster-needs.ts';
import { makeTap } from '../support/stage/found-vm.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { needsControlPlane } from '../support/control-plane/requirement.ts';

const OPEN_TIMEOUT_MS = 600_000;
const BOOT_TIMEOUT_MS = 240_000;
const NAME = 'rental-story';
/** To somebody who is not its consumer, by its network card. */
const PING = 'ping -n -W 1 -I vmnet0 192.0.2.66';
const PLUGIN = fileURLToPath(new URL('../../bin/kubectl-vmnet', import.meta.url));
const INSIDE = '10.99.0.2';
const MAC = '52:54:00:57:00:01';
const ENDPOINT = RentalLab.a;

const tools = ['qemu-system-x86_64', 'busybox', 'apt-get', 'mmdebstrap', 'mkfs.ext4', 'wireguard-go', 'wg'];
const { describe, test } = requires(...CLUSTER_NEEDS, needsControlPlane('kubectl'), ...tools.map(executable));

describe('a real Debian in a cluster, which somebody else started', () => {
  let lab: ClusterLab;
  let agent: AgentProcess;
  let tunnel: ConsumerTunnel;
  let guest: Guest;
  let tenant: string;
  let publicKey: string;
  let elsewhere: Capture;
  const presharedKey = randomBytes(32).toString('base64');

  beforeAll(async () => {
    const image = await ensureDebianImage();
    lab = await ClusterLab.open('story');
    const { host, consumerA, internet, lab: scratchLab } = lab.rental;
    tunnel = await ConsumerTunnel.open(scratchLab, consumerA, ENDPOINT.port);
    elsewhere = await capture(internet, 'eth0', 'not arp');
    tenant = await lab.stage.namespace();
    await lab.stage.controller();
    agent = lab.startAgent(['--managed-interfaces', 'fnd*']);
    await agent.until('the first pass', () => true, 30_000);
    await kubectl(['apply', '-f', '-'], manifest());
    await host.run(['ip', 'link', 'add', 'br-found', 'up', 'type', 'bridge']);
    await makeTap(host, 'fnd0', 'br-found');
    const monitor = `unix:${join(scratchLab.scratch, 'qmp')},server=on,wait=off`;
    guest = await bootDebian({
      ...{ name: NAME, image, scratch: scratchLab.scratch },
      devices: [
        ...cardDevices({ tap: 'fnd0', mac: MAC }),
        ...['-name', `guest=${NAME}`, '-qmp', monitor, '-device', 'virtio-scsi-pci', '-device', 'scsi-cd'],
      ],
      spawn: (argv) => host.spawn(argv, { stdio: ['ignore', 'pipe', 'pipe'] }),
    });
  }, OPEN_TIMEOUT_MS);
  afterAll(async () => {
    await guest?.stop();
    await lab?.close();
  }, 60_000);

  const kubectl = (args: readonly string[], input = ''): Promise<string> =>
    lab.stage.plane.mustKubectl(args, { input, timeoutMs: BOOT_TIMEOUT_MS });
  const get = (path: string): Promise<string> =>
    kubectl(['get', 'vmnetwork', NAME, '-n', tenant, '-o', `jsonpath=${path}`]);

  function manifest(): string {
    return `apiVersion: v1
kind: Secret
metadata: {name: psk, namespace: ${tenant}}
stringData: {psk: ${presharedKey}}
---
apiVersion: vmnetwork.io/v1alpha1
kind: VMNetwork
metadata: {name: ${NAME}, namespace: ${tenant}}
spec:
  consumerEndpoint: {address: ${ENDPOINT.address}, port: ${String(ENDPOINT.port)}}
  selector: {names: [${NAME}]}
  wireGuard:
    peerPublicKey: ${tunnel.publicKey}
    presharedKeySecretRef: {name: psk, key: psk}
    addresses: [${INSIDE}/32]
    allowedIPs: [10.99.0.0/24]
`;
  }

  test('[E2E-1] its seed is delivered before it asks for one, and its consumer learns its key', async () => {
    publicKey = await poll('the public key', () => get('{.status.peers[0].publicKey}'), {
      deadlineMs: 30_000,
    });
    expect(await get('{.status.peers[0].addresses[0]}')).toBe(`${INSIDE}/32`);
    const file = join(lab.rental.lab.scratch, 'psk');
    writeFileSync(file, `${presharedKey}\n`, { mode: 0o600 });
    await tunnel.admit({ publicKey, address: INSIDE }, ['preshared-key', file]);
    const condition = await get('{.status.conditions[?(@.type=="GuestProvisioned")].reason}');
    expect(['Delivered', 'Provisioned']).toContain(condition);
  }, 60_000);

  test('[E2E-1] `kubectl wait` sees it provisioned, with a handshake within 10 s of its network', async () => {
    await kubectl([
      ...['wait', `vmnetwork/${NAME}`, '-n', tenant, '--for=condition=GuestProvisioned'],
      `--timeout=${String(BOOT_TIMEOUT_MS / 1000)}s`,
    ]);
    expect(await guest.must('wg show wg0 peers')).toBe(`${tunnel.publicKey}\n`);
    // From when systemd calls it up, which is what wg-quick waits for.
    const since = 'systemctl show --value -p ActiveEnterTimestampMonotonic network-online.target';
    const upUs = Number(await guest.must(since));
    expect(upUs).toBeGreaterThan(0);
    const uptime = Number((await guest.must('cut -d" " -f1 /proc/uptime')).trim());
    const upAt = Date.now() / 1000 - (uptime - upUs / 1e6);
    const tookSeconds = (await tunnel.handshake(publicKey)) - upAt;
    expect(tookSeconds).toBeLessThan(10);
    expect(await guest.must('cloud-init status --wait --long', BOOT_TIMEOUT_MS)).toContain(
      'DataSourceNoCloud [seed=/dev/sr0]',
    );
  }, 300_000);

  test('[E2E-1] 100 MB, or what half a minute carries, come through the tunnel as they were sent, each way', async () => {
    const far = tunnel.namespace.spawn(['python3', '-c', FAR_END], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    far.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await poll('the consumer to listen', () => said.startsWith('ready'));
    const near = (await guest.must(`python3 -c '${NEAR_END}'`, 120_000)).trim().split('\n');
    await poll('the consumer to have counted', () => said.trim().split('\n').length === 3);
    expect(said.trim().split('\n').slice(1)).toEqual(near);
    for (const line of near) expect(Number(line.split(' ')[0])).toBeGreaterThan(LEAST_BYTES);
  }, 180_000);

  test('its tunnel is told as established, since the handshake that the consumer had', async () => {
    await kubectl([
      ...['wait', `vmnetwork/${NAME}`, '-n', tenant, '--for=condition=TunnelEstablished', '--timeout=60s'],
    ]);
    const apart = async (): Promise<number> => {
      const told = Date.parse(await get('{.status.tunnel.lastHandshake}')) / 1000;
      return Math.abs(told - (await tunnel.handshake(publicKey)));
    };
    // A handshake may have come a moment ago; status is written seldom.
    await poll('the same handshake', async () => (await apart()) < 3, { deadlineMs: 60_000 });
    const columns = await kubectl(['get', 'vmnetwork', NAME, '-n', tenant, '-o', 'wide']);
    expect(columns).toMatch(/TUNNEL-AGE[^]*\b\d+m?\d*s?\b/);
  }, 150_000);

  test('an annotation asks for its next key, which its consumer is told while it goes on with its own', async () => {
    await kubectl(['annotate', 'vmnetwork', NAME, '-n', tenant, 'vmnetwork.io/rotate-key=1']);
    const next = (): Promise<string> => get('{.status.peers[0].nextPublicKey}');
    await poll('the next key', async () => /^.{43}=$/.test(await next()), { deadlineMs: 30_000 });
    expect(await next()).not.toBe(publicKey);
    expect(await get('{.status.peers[0].publicKey}')).toBe(publicKey);
    expect(await guest.must('wg show wg0 public-key')).toBe(`${publicKey}\n`);
    const KUBECONFIG = await lab.stage.plane.kubeconfigFor({ user: 'consumer', groups: ['system:masters'] });
    const consumer = await mustRun([PLUGIN, 'peer-config', NAME, '-n', tenant], {
      env: { ...process.env, KUBECONFIG },
    });
    for (const line of [
      `PublicKey = ${publicKey}`,
      `# From the VM's next start: PublicKey = ${await next()}`,
    ])
      expect(consumer.split('\n')).toContain(line);
  }, 60_000);

  test('once root in it removed its firewall and sends past it, its VMNetwork and an Event tell so', async () => {
    const bypassed = '{range .status.conditions[?(@.type=="GuestFirewallBypassed")]}{.status} {.reason}{end}';
    // It booted, dialled, and sent 100 MB each way.
    expect(await get(bypassed)).toBe('False NoneSeen');
    // Its firewall answers before the host has to.
    expect(await guest.run(`${PING} -c 3`)).toMatchObject({ code: 1 });
    await guest.must(`nft flush ruleset; (timeout 60 ${PING} -i 1 >/dev/null 2>&1 &)`);
    await poll('the bypass', async () => (await get(bypassed)) === 'True SentPastFirewall', {
      deadlineMs: 90_000,
      everyMs: 1000,
    });
    const events = ['get', 'events', '-A', '--field-selector=reason=GuestFirewallBypassed', '-o', 'name'];
    await poll('its one Event', async () => (await kubectl(events)).trim().split('\n').length === 1);
    const ready = '{.status.conditions[?(@.type=="Ready")].status}';
    expect(await get(ready)).toBe('True');
  }, 150_000);

  test('nothing of it arrived anywhere else, and no key is in a log or in what the API server has', async () => {
    await guest.run(
      'ping -n -c 1 -W 1 192.0.2.66; nft flush ruleset; ping -n -c 1 -W 1 -I vmnet0 192.0.2.66',
    );
    expect(elsewhere.frames()).toEqual([]);
    const key = (await guest.must('wg show wg0 private-key')).trim();
    const kinds = 'vmnetworks,vmnetworkattachments,vmnetworknodes,events,leases';
    const told = [agent.log, await kubectl(['get', kinds, '-A', '-o', 'yaml'])].join('\n');
    expect(told).toContain(publicKey);
    for (const secret of [key, presharedKey]) expect(told).not.toContain(secret);
  }, 60_000);
});

const MOST_BYTES = 100 << 20;
const LEAST_BYTES = 4 << 20;
const SECONDS = 30;
/** Each end prints how many bytes went in a direction, and their checksum. */
const ENDS = `import hashlib, os, socket, time
def tell(n, h): print(n, h.hexdigest(), flush=True)
def send(c):
    n, h, block, end = 0, hashlib.sha256(), os.urandom(1 << 16), time.monotonic() + ${SECONDS}
    while n < ${MOST_BYTES} and time.monotonic() < end:
        c.sendall(block); h.update(block); n += len(block)
    c.shutdown(socket.SHUT_WR); tell(n, h); return c
def take(c):
    n, h = 0, hashlib.sha256()
    while d := c.recv(1 << 16): n += len(d); h.update(d)
    tell(n, h)
`;
const FAR_END = `${ENDS}
s = socket.create_server(("${CONSUMER_INSIDE}", 7)); print("ready", flush=True)
take(s.accept()[0]); c = send(s.accept()[0]); c.recv(1)`;
const NEAR_END = `${ENDS}
def far(): return socket.create_connection(("${CONSUMER_INSIDE}", 7))
send(far()).recv(1); take(far())`;
