import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { parse } from 'yaml';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { generateTunnelKeyPair, publicKeyOf } from '../../src/wireguard/key-pair.ts';
import { mustRun, poll, runCommand } from '../support/lab/index.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { type Outcome, ROOT, vmnetctl } from '../unit/cli/vmnetctl.ts';

/** Keeps a copy of what it was given as a seed, and ends. */
const COPYING_QEMU = `#!/bin/sh
for word in "$@"; do case $word in *file=*) cp "\${word##*file=}" "$1";; esac; done
`;
const USER_DATA = '#cloud-config\n# of the tenant: ünicode   and blanks\nruncmd: [[sh, -c, "echo hello"]]\n';

const tools = ['qemu-system-x86_64', 'nft', 'isoinfo'].map(executable);
const { describe, test } = requires(root, ...tools);

/** The tests go on where the one before left them. */
describe('the seed image of vmnetctl run', () => {
  const [vm, plain] = ['guest', 'plain'];
  const { tap, guestMac } = identityOf(vm);
  const peer = generateTunnelKeyPair().publicKey;
  const presharedKey = randomBytes(32).toString('base64');
  let rental: RentalLab;
  let agent: AgentProcess | undefined;
  let provisions: string[];
  /** What is declared is another each time, so that the agent makes a pass. */
  let turn = 0;
  /** `rotate`: the value of its annotation. */
  let declare: (rotate?: string) => void;
  let keyFile: string;
  let seed: string;
  let publicKey: string;
  let secrets: string[];
  let launcher: ChildProcess;
  let launcherPid: number;
  let qemuPid: number;
  let said = '';

  beforeAll(async () => {
    rental = await RentalLab.open('runseed');
    const { home, lab } = rental;
    const tunnel = `wireGuard: {peerPublicKey: ${peer}, addresses: [10.99.0.2/32], dns: [10.99.0.1], mtu: 1400}`;
    declare = (rotate) =>
      apply(home, {
        name: vm,
        endpoint: RentalLab.a,
        annotations: { turn: String((turn += 1)), ...(rotate && { 'vmnetwork.io/rotate-key': rotate }) },
        more: [tunnel],
      });
    // One that stands before there is a key is answered by the first key.
    declare('at the start');
    apply(home, { name: plain, endpoint: RentalLab.b });
    const write = (name: string, text: string): string => {
      writeFileSync(join(lab.scratch, name), text);
      return join(lab.scratch, name);
    };
    provisions = [
      '--user-data',
      write('user-data', USER_DATA),
      '--preshared-key-file',
      write('psk', presharedKey),
    ];
    chmodSync(write('qemu', COPYING_QEMU), 0o755);
    keyFile = join(home.stateDir, 'guest-keys', `${tap}.json`);
    seed = join(home.runDir, 'seeds', `${tap}.iso`);
  }, 60_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  const words = (name: string): string[] => [
    'run',
    ...rental.home.paths,
    ...['-f', join(rental.home.manifests, `${name}.yaml`), '--wait-enforced', '0'],
  ];
  const ctl = (...args: string[]): Promise<Outcome> => vmnetctl(args, { prefix: rental.host.enter([]) });
  const status = async (): Promise<Outcome> => ctl('status', ...rental.home.paths, '-o', 'json');
  const told = async (name: string) => {
    const { attachments } = JSON.parse((await status()).stdout) as {
      attachments: {
        vm: string;
        inUse: boolean;
        guest?: { publicKey: string; nextPublicKey?: string };
        enforced: { verifiedAt: string } | null;
      }[];
    };
    return attachments.find((one) => one.vm === name);
  };
  const document = (image: string, name: string): Promise<string> =>
    mustRun(['isoinfo', '-R', '-i', image, '-x', `/${name}`]);
  /** The files that the vendor-data of an image makes in the guest. */
  async function filesOf(image: string): Promise<Map<string, string>> {
    const { bootcmd } = parse(await document(image, 'vendor-data')) as { bootcmd: (string | string[])[] };
    const placed = bootcmd.filter((one): one is string[] => Array.isArray(one) && one[0] === 'vmnet_place');
    return new Map(placed.map(([, path = '', , content = '']) => [path, content]));
  }
  async function start(): Promise<void> {
    const qemu = ['qemu-system-x86_64', '-S', '-nodefaults', '-display', 'none', '-monitor', 'stdio'];
    const argv = [process.execPath, 'src/cli/main.ts', ...words(vm), ...provisions, '--', ...qemu];
    launcher = rental.host.spawn(argv, { cwd: ROOT, stdio: 'pipe' });
    for (const stream of [launcher.stdout, launcher.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const running = await poll('QEMU', processes, { detail: () => said, deadlineMs: 30_000 });
    ({ launcher: launcherPid, qemu: qemuPid } = running);
    await poll('the tap in use', async () => (await told(vm))?.inUse, { detail: () => said });
  }
  /** Whose claim is in the record, and the QEMU that it started; null: not yet. */
  function processes(): { launcher: number; qemu: number } | null {
    try {
      const path = join(rental.home.stateDir, 'attachments', `${tap}.json`);
      const { record } = JSON.parse(readFileSync(path, 'utf8')) as {
        record: { claim: { pid: number } | null };
      };
      const pid = record.claim?.pid ?? 0;
      const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      const isQemu = readFileSync(`/proc/${child}/comm`, 'utf8').startsWith('qemu');
      return isQemu ? { launcher: pid, qemu: Number(child) } : null;
    } catch {
      return null;
    }
  }
  const nul = (path: string): string[] => readFileSync(path, 'utf8').split('\0');
  async function quit(): Promise<void> {
    const closed = new Promise((resolve) => launcher.once('close', resolve));
    launcher.stdin?.end('quit\n');
    await closed;
  }

  test('without an agent and a tunnel: the network and the firewall, no key, and nothing is left', async () => {
    const copy = join(rental.lab.scratch, 'plain.iso');
    const { code, stderr } = await ctl(...words(plain), '--', join(rental.lab.scratch, 'qemu'), copy);
    expect([code, stderr]).toEqual([0, expect.stringContaining('closed: no agent is running')]);
    const files = [...(await filesOf(copy)).keys()];
    expect(files).toContain('/etc/vmnetwork/guest-firewall.nft');
    expect(files.join()).not.toMatch(/wireguard|tunnel/);
    expect(await document(copy, 'network-config')).toContain(identityOf(plain).guestMac);
    expect((await told(plain))?.guest).toBeUndefined();
    expect(existsSync(dirname(keyFile))).toBe(false);
    expect(existsSync(dirname(seed))).toBe(false);
  });

  test('QEMU has it as a disk that it only reads, and its documents are those of the network', async () => {
    agent = rental.home.start();
    await start();
    const argv = nul(`/proc/${qemuPid}/cmdline`);
    const drive = argv[argv.indexOf('-drive') + 1] ?? '';
    expect(drive).toBe(`if=virtio,format=raw,readonly=on,file=${seed}`);
    expect([statSync(seed).mode & 0o7777, statSync(dirname(seed)).mode & 0o7777]).toEqual([0o600, 0o700]);
    const fds = readdirSync(`/proc/${qemuPid}/fd`).map((fd) => readlinkSync(`/proc/${qemuPid}/fd/${fd}`));
    expect(fds).toContain(seed);
    launcher.stdin?.write('info block\n');
    await poll('the disk in QEMU', () => said.includes(`${seed} (raw, read-only)`), { detail: () => said });

    expect(await document(seed, 'user-data')).toBe(USER_DATA);
    const { guestAddress } = (await told(vm)) as unknown as { guestAddress: string };
    expect(parse(await document(seed, 'network-config'))).toMatchObject({
      ethernets: {
        vmnet0: {
          match: { macaddress: guestMac },
          mtu: 1500,
          addresses: [`${guestAddress}/32`],
          routes: [{ via: '169.254.1.1', 'on-link': true }],
        },
      },
    });
    const conf = (await filesOf(seed)).get('/etc/wireguard/wg0.conf') ?? '';
    for (const line of [
      'Address = 10.99.0.2/32',
      'MTU = 1400',
      `PublicKey = ${peer}`,
      `PresharedKey = ${presharedKey}`,
      `Endpoint = ${RentalLab.a.address}:${String(RentalLab.a.port)}`,
      'AllowedIPs = 0.0.0.0/0',
      'PersistentKeepalive = 25',
    ])
      expect(conf.split('\n')).toContain(line);
    const privateKey = /^PrivateKey = (.*)$/m.exec(conf)?.[1] ?? '';
    publicKey = publicKeyOf(Buffer.from(privateKey, 'base64'));
    secrets = [privateKey, presharedKey];
  }, 60_000);

  test('its public key is told by the agent and in the record, and no secret is anywhere else', async () => {
    const answer = await poll('the agent to tell', async () => ((await told(vm))?.guest ? status() : null));
    expect(JSON.parse(answer.stdout)).toMatchObject({
      attachments: expect.arrayContaining([expect.objectContaining({ vm, guest: { publicKey } })]) as unknown,
    });
    const forms = secrets.flatMap((secret) => {
      const raw = Buffer.from(secret, 'base64');
      return [secret, raw.toString('hex'), raw.toString('base64url'), encodeURIComponent(secret)];
    });
    const places: Record<string, string> = {
      'what the launcher says': said,
      status: answer.stdout + answer.stderr,
      'status for people': (await ctl('status', ...rental.home.paths)).stdout,
      'what the agent says': agent?.log ?? '',
    };
    for (const pid of [launcherPid, qemuPid])
      for (const file of ['cmdline', 'environ'])
        places[`${file} of ${pid}`] = nul(`/proc/${pid}/${file}`).join(' ');
    for (const [place, text] of Object.entries(places))
      for (const form of forms) expect([place, text.includes(form)]).toEqual([place, false]);

    const grep = await runCommand(['grep', '-rlaF', '-f', '-', rental.lab.scratch], {
      input: forms.join('\n'),
    });
    const psk = join(rental.lab.scratch, 'psk');
    expect(grep.stdout.trim().split('\n').sort()).toEqual([keyFile, psk, seed].sort());
    expect(statSync(keyFile).mode & 0o7777).toBe(0o600);
  }, 60_000);

  test('it outlives a launcher that is killed as long as the VM does, and the next start removes it', async () => {
    const closed = new Promise((resolve) => launcher.once('close', resolve));
    process.kill(launcherPid, 'SIGKILL');
    const other = await ctl(...words(plain), '--no-seed', '--', '/bin/true');
    expect(other).toMatchObject({ code: 0 });
    expect(existsSync(seed)).toBe(true);
    process.kill(qemuPid, 'SIGKILL');
    await closed;
    await poll('the tap let go of', async () => (await told(vm))?.inUse === false);
    expect(existsSync(seed)).toBe(true);
    expect(await ctl(...words(plain), '--no-seed', '--', '/bin/true')).toMatchObject({ code: 0 });
    expect(existsSync(dirname(seed))).toBe(false);
  }, 60_000);

  test('the next start has the same key; when QEMU has ended the image goes and the key stays', async () => {
    await start();
    expect(await document(seed, 'vendor-data')).toContain(secrets[0]);
    await quit();
    expect(existsSync(dirname(seed))).toBe(false);
    expect(existsSync(keyFile)).toBe(true);
    expect((await told(vm))?.guest).toEqual({ publicKey });
  }, 60_000);

  test('rotate-key makes the next key, which the consumer is told while the VM goes on with its own; the next start has it alone', async () => {
    await start();
    const rotate = (name: string, ...more: string[]): Promise<Outcome> =>
      ctl('rotate-key', name, ...rental.home.paths, ...more);
    const { code, stdout } = await rotate(vm, '-o', 'json');
    const { keys } = JSON.parse(stdout) as { keys: { nextPublicKey: string }[] };
    const [{ nextPublicKey } = { nextPublicKey: '' }] = keys;
    expect([code, keys]).toEqual([
      0,
      [
        {
          vm,
          attachment: tap,
          network: `tenant/${vm}`,
          publicKey,
          nextPublicKey: expect.stringMatching(/^.{43}=$/),
        },
      ],
    ]);
    expect(nextPublicKey).not.toBe(publicKey);
    expect(JSON.parse((await rotate(vm, '-o', 'json')).stdout)).toEqual({ keys });
    await poll('the agent to tell', async () => (await told(vm))?.guest?.nextPublicKey === nextPublicKey);
    expect(await document(seed, 'vendor-data')).toContain(secrets[0]);
    const consumer = await ctl('peer-config', vm, '--run-dir', rental.home.runDir);
    expect(consumer.stdout).toContain(
      `PublicKey = ${publicKey}\n# From the VM's next start: PublicKey = ${nextPublicKey}\n`,
    );
    await quit();
    expect((await told(vm))?.guest).toEqual({ publicKey, nextPublicKey });

    const former = openSync(keyFile, 'r');
    await start();
    const conf = (await filesOf(seed)).get('/etc/wireguard/wg0.conf') ?? '';
    const privateKey = /^PrivateKey = (.*)$/m.exec(conf)?.[1] ?? '';
    expect(publicKeyOf(Buffer.from(privateKey, 'base64'))).toBe(nextPublicKey);
    await poll('the agent to tell', async () => (await told(vm))?.guest?.publicKey === nextPublicKey);
    expect((await told(vm))?.guest).toEqual({ publicKey: nextPublicKey });
    expect(readdirSync(dirname(keyFile))).toEqual([basename(keyFile)]);
    // What was the former key's file is overwritten, whoever has it open.
    expect(readFileSync(former).every((byte) => byte === 0)).toBe(true);
    closeSync(former);
    await quit();

    for (const [name, why, what] of [
      ['nobody', 'is none of this host', `Give one of ${[plain, vm].sort().join(', ')}`],
      [plain, 'has no key on this host', 'nothing to replace'],
    ] as const) {
      const refused = await rotate(name);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      for (const part of [`VM ${name}`, why, what]) expect(refused.stderr).toContain(part);
    }
  }, 90_000);

  test('an annotation of its VMNetwork asks for the next key, once for each value', async () => {
    const { publicKey: first } = (await told(vm))!.guest!;
    const passes = async (): Promise<void> => {
      const before = (await told(vm))?.enforced?.verifiedAt;
      declare('again, and then the same');
      await poll('a pass', async () => (await told(vm))?.enforced?.verifiedAt !== before);
    };
    await start();
    await passes();
    await poll('a next key', async () => (await told(vm))?.guest?.nextPublicKey !== undefined);
    const asked = (await told(vm))!.guest!;
    expect(asked).toEqual({ publicKey: first, nextPublicKey: expect.stringMatching(/^.{43}=$/) });
    await passes();
    expect((await told(vm))?.guest).toEqual(asked);
    await quit();
    await start();
    await poll(
      'the key of the start',
      async () => (await told(vm))?.guest?.publicKey === asked.nextPublicKey,
    );
    await passes();
    expect((await told(vm))?.guest).toEqual({ publicKey: asked.nextPublicKey });
    // Without the annotation nothing is asked for either.
    declare();
    await quit();
    expect((await told(vm))?.guest).toEqual({ publicKey: asked.nextPublicKey });
  }, 120_000);

  test('a damaged key is an error, and the VM is not started', async () => {
    const text = readFileSync(keyFile);
    writeFileSync(keyFile, text.subarray(0, 60));
    const marker = join(rental.lab.scratch, 'started');
    const { code, stderr } = await ctl(
      ...words(vm),
      ...provisions,
      '--',
      join(rental.lab.scratch, 'qemu'),
      marker,
    );
    expect(code).toBe(3);
    expect(stderr).toContain(keyFile);
    expect(stderr).toContain('the next start of the VM makes another key');
    expect(existsSync(marker)).toBe(false);
    expect(readFileSync(keyFile)).toEqual(text.subarray(0, 60));
    writeFileSync(keyFile, text);
  });

  test('the key goes with the record, once nothing names the VM any more', async () => {
    withdraw(rental.home, vm);
    withdraw(rental.home, plain);
    const records = join(rental.home.stateDir, 'attachments');
    await poll('the records gone', () => !existsSync(records), { deadlineMs: 20_000 });
    expect(existsSync(dirname(keyFile))).toBe(false);
  }, 30_000);
});
