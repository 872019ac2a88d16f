/** Seed images for VMs that somebody else started: real QEMUs whose guests never run, by their own monitors, under the real agent. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { MonitorUser } from '../support/discovery/qemu.ts';
import { poll } from '../support/lab/index.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const { a, b } = RentalLab;
const PEER = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const FLAGS = ['--managed-interfaces', 'gst*'];

interface Block {
  readonly removable: boolean;
  readonly inserted?: { readonly file: string; readonly ro: boolean };
}

describe('the seed image of a VM that somebody else started', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let tenants: string;
  const vms = new Map<string, { vm: FoundVm; qmp: string }>();
  const said: string[] = [];

  beforeAll(async () => {
    rental = await RentalLab.open('guests');
    tenants = join(rental.lab.scratch, 'tenants.iso');
    writeFileSync(tenants, Buffer.alloc(64 * 1024));
    const scsi = ['-device', 'virtio-scsi-pci'];
    const full = `if=none,id=own,media=cdrom,readonly=on,format=raw,file=${tenants}`;
    await start('empty', 0, [...scsi, '-device', 'scsi-cd,id=cd0']);
    await start('full', 1, [...scsi, '-drive', full, '-device', 'scsi-cd,drive=own']);
    await start('fixed', 2, ['-machine', 'q35']);
    await start('silent', 3, null);
    agent = rental.home.start(FLAGS);
    for (const name of vms.keys()) await until(name, 'an answer', ({ reason }) => reason !== 'Pending');
  }, 90_000);
  afterAll(async () => {
    for (const { vm } of vms.values()) await vm.kill();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  /** `words`: null: it has no monitor. */
  async function start(name: string, last: number, words: readonly string[] | null): Promise<void> {
    const tap = `gst${String(last)}`;
    await makeTap(rental.host, tap);
    const qmp = join(rental.lab.scratch, `${name}.qmp`);
    const monitor = words === null ? [] : ['-qmp', `unix:${qmp},server=on,wait=off`];
    const card = { tap, mac: `52:54:00:95:00:0${String(last)}` };
    vms.set(name, { vm: FoundVm.start(rental.host, name, [card], [...monitor, ...(words ?? [])]), qmp });
    declare(name);
  }

  function declare(name: string, endpoint = a): void {
    const more = [`wireGuard: {peerPublicKey: ${PEER}, addresses: [10.99.0.2/32]}`];
    apply(rental.home, { name, endpoint, more });
  }

  const of = ({ attachments }: AgentStatus, name: string): AttachmentStatus | undefined =>
    attachments.find(({ vm }) => vm === name);

  async function until(
    name: string,
    what: string,
    wanted: (said: NonNullable<AttachmentStatus['provisioning']>['said']) => boolean,
  ): Promise<AttachmentStatus & Required<Pick<AttachmentStatus, 'guest' | 'provisioning'>>> {
    const isIt = (status: AgentStatus): boolean => {
      const one = of(status, name)?.provisioning?.said;
      return one !== undefined && wanted(one);
    };
    const status = await agent.until(`${what} of ${name}`, isIt, 30_000);
    said.push(JSON.stringify(status));
    const { provisioning, guest, ...rest } = of(status, name)!;
    return { ...rest, provisioning: provisioning!, guest: guest! };
  }

  async function blocks(name: string): Promise<Block[]> {
    const user = await MonitorUser.connect(vms.get(name)!.qmp);
    try {
      return (await user.ask('query-block')) as Block[];
    } finally {
      user.close();
    }
  }

  const filesIn = (all: readonly Block[]): (string | undefined)[] =>
    all.map(({ inserted }) => inserted?.file);
  const isDelivered = ({ reason }: { reason: string }): boolean => reason === 'Delivered';

  test('comes into a CD-ROM drive that is empty, and nothing more is said than that', async () => {
    const { guest, provisioning, state } = await until('empty', 'the delivery', isDelivered);
    expect(state).toBe('Enforced');
    expect(provisioning).toMatchObject({ said: { status: 'Unknown', reason: 'Delivered' } });
    expect(guest.publicKey).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    const seed = provisioning.seed!;
    expect(statSync(seed).mode & 0o777).toBe(0o600);
    expect(await blocks('empty')).toEqual([
      expect.objectContaining({
        removable: true,
        inserted: expect.objectContaining({ file: seed, ro: true }),
      }),
    ]);
    const text = readFileSync(seed, 'latin1');
    expect(text).toContain(PEER);
    expect(text).toContain(`${a.address}:${String(a.port)}`);
  });

  test('comes as a disk where the drive has the tenant’s own medium, which stays in it', async () => {
    const { provisioning } = await until('full', 'the delivery', isDelivered);
    const all = await blocks('full');
    expect(filesIn(all)).toEqual([tenants, provisioning.seed]);
    expect(all[1]).toMatchObject({ removable: false, inserted: { ro: true } });
  });

  test('does not come where there is neither, nor a monitor; its path is told, and the VM is held all the same', async () => {
    const [fixed, silent] = [
      await until('fixed', 'the answer', ({ reason }) => reason === 'NoDrive'),
      await until('silent', 'the answer', ({ reason }) => reason === 'NotDelivered'),
    ];
    expect(fixed.provisioning.said).toMatchObject({
      status: 'False',
      message: expect.stringContaining('hotplug'),
    });
    expect(await blocks('fixed')).toEqual([]);
    expect(silent.provisioning.said.status).toBe('False');
    for (const { provisioning, state } of [fixed, silent]) {
      expect(statSync(provisioning.seed!).isFile()).toBe(true);
      expect(state).toBe('Enforced');
    }
  });

  test('is not given twice: the agent is killed, and the next one sees that it is there', async () => {
    const before = await until('empty', 'the delivery', isDelivered);
    const inode = statSync(before.provisioning.seed!).ino;
    said.push(agent.log);
    await agent.end('SIGKILL');
    agent = rental.home.start(FLAGS);
    const after = await until('empty', 'the delivery', isDelivered);
    await until('full', 'the delivery', isDelivered);
    expect(after.guest).toEqual(before.guest);
    expect(statSync(after.provisioning.seed!).ino).toBe(inode);
    expect(await blocks('full')).toHaveLength(2);
    expect(await blocks('empty')).toHaveLength(1);
  });

  test('is changed in its own drive when the endpoint is; a disk that is plugged in stays, and that is said', async () => {
    declare('empty', b);
    declare('full', b);
    const { pid } = vms.get('empty')!.vm.qemu;
    const { provisioning } = await until('empty', 'the delivery', isDelivered);
    const seed = provisioning.seed!;
    const holds = (): boolean =>
      readdirSync(`/proc/${String(pid)}/fd`).some((fd) => {
        const { ino } = statSync(`/proc/${String(pid)}/fd/${fd}`, { throwIfNoEntry: false }) ?? { ino: 0 };
        return ino === statSync(seed).ino;
      });
    await poll(
      'the new image in the drive',
      () => readFileSync(seed, 'latin1').includes(b.address) && holds(),
    );
    expect(await blocks('empty')).toHaveLength(1);
    const full = await until('full', 'the answer', ({ reason }) => reason === 'Outdated');
    expect(full.provisioning.said.status).toBe('False');
    expect(filesIn(await blocks('full'))[0]).toBe(tenants);
  }, 60_000);

  test('that somebody takes out is not put in again', async () => {
    const user = await MonitorUser.connect(vms.get('empty')!.qmp);
    await user.ask('blockdev-open-tray', { id: 'cd0', force: true });
    await user.ask('blockdev-remove-medium', { id: 'cd0' });
    user.close();
    const { provisioning } = await until('empty', 'the answer', ({ reason }) => reason === 'NotDelivered');
    expect(provisioning.said.message).toContain('took its seed image out');
    expect(filesIn(await blocks('empty'))).toEqual([undefined]);
  });

  test('and its key are in no log, status, process or other file', async () => {
    said.push(agent.log, JSON.stringify(await agent.until('a status', () => true)));
    const folder = join(rental.home.stateDir, 'guest-keys');
    const names = readdirSync(folder);
    expect(names).toHaveLength(vms.size);
    const keys = names.map(
      (name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as Pair).privateKey,
    );
    const told = [...said, ...namesAndEnvironments()].join('\n');
    for (const key of keys) {
      expect(told).not.toContain(key);
      const found = await rental.host.exec(['grep', '-rlF', key, rental.home.stateDir, rental.home.runDir]);
      const holders = found.stdout.trim().split('\n').sort();
      expect(holders).toEqual(
        [expect.stringContaining('/seeds/'), expect.stringContaining('/guest-keys/')].sort(),
      );
    }
  });

  test('ends with its VM: key and image are gone', async () => {
    for (const [name, { vm }] of vms) {
      await vm.kill();
      withdraw(rental.home, name);
    }
    const left = async (): Promise<string> =>
      (await rental.host.exec(['ls', '-R', rental.home.stateDir, rental.home.runDir])).stdout;
    await poll('their end', async () => !(await left()).includes('card-'), {
      deadlineMs: 30_000,
      detail: () => agent.log,
    });
  }, 60_000);
});

interface Pair {
  readonly privateKey: string;
}

/** What `ps` shows of every process. */
function namesAndEnvironments(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => ['cmdline', 'environ'].map((what) => textOf(`/proc/${pid}/${what}`)));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
