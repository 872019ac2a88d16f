import { closeSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cardKeyOf } from '../../src/agent/wiring/card-key.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { recordsDirOf } from '../../src/agent/wiring/paths.ts';
import { serializeRecord } from '../../src/agent/wiring/record.ts';
import type { Check } from '../../src/cli/doctor/check.ts';
import type { VmFlows } from '../../src/cli/flows/passages.ts';
import type { Interval } from '../../src/cli/top/intervals.ts';
import { ADDON_PATH } from '../../src/native/addon.ts';
import {
  attachFilter,
  counters,
  ensureBpffs,
  readBack,
  writePolicy,
} from '../../src/native/filter-engine.ts';
import { encodePolicy, type Policy } from '../../src/native/policy-abi.ts';
import { setLink } from '../../src/native/rtnetlink.ts';
import { createTap, persistTap } from '../../src/native/tap.ts';
import { CAST, fromGuest } from '../support/frames/cast.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { executable, file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { policy } from '../unit/cli/explain/policy.ts';
import { type Outcome, ROOT, vmnetctl } from '../unit/cli/vmnetctl.ts';

const { describe } = requires(root, executable('nft'), file(ADDON_PATH, 'make build'));

const VM = 'rental';
const { tap, alias } = identityOf(VM);
const FOUND_TAP = 'vnet7';
const FOUND_CARD = { vmId: 'found-vm', mac: '02:76:aa:bb:cc:de' };

/** Whom the cast of the frames may talk to; as loose as it gets, so that any payload will do. */
function castPolicy(change: Partial<Policy> = {}): Policy {
  const { guestMac, guestAddress, gatewayMac, gatewayAddress, endpoint } = CAST;
  const flags = { quarantined: false, strictWireGuard: false, audit: false };
  return policy({ guestMac, guestAddress, gatewayMac, gatewayAddress, endpoint, flags, ...change });
}

describe('vmnetctl top, flows, explain --live and doctor on a real kernel, without an agent', () => {
  let lab: Lab;
  let host: Namespace;
  let leave: () => void;
  let paths: { stateDir: string; runDir: string; bpffs: string };
  let card: VirtualCard;
  let pinDir: string;

  const options = (): string[] => [
    '--state-dir',
    paths.stateDir,
    '--run-dir',
    paths.runDir,
    '--bpffs',
    paths.bpffs,
  ];
  const ctl = (...args: string[]): Promise<Outcome> =>
    vmnetctl([...args, ...options()], { prefix: host.enter([]) });
  const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');
  const elsewhere = fromGuest({ ...CAST, endpoint: { address: '192.0.2.66', port: 51900 } });
  const allowed = fromGuest(CAST);

  /** A tap with a filter, as an agent leaves it: its card may be used, nothing is pinned twice. */
  function makeTap(name: string, pins: (ifindex: number) => string): { ifindex: number; pinDir: string } {
    const { fd, ifindex } = createTap(name);
    const dir = join(paths.bpffs, pins(ifindex));
    attachFilter(dir, ifindex);
    persistTap(fd);
    closeSync(fd);
    return { ifindex, pinDir: dir };
  }

  beforeAll(async () => {
    lab = await Lab.create('clilive');
    host = await lab.namespace('host');
    const base = `vmnet-t-${process.pid}-clilive`;
    paths = { stateDir: `/tmp/${base}/state`, runDir: `/tmp/${base}/run`, bpffs: `/sys/fs/bpf/${base}` };
    lab.undoLater(`rm -rf /tmp/${base} /sys/fs/bpf/${base}`);
    ensureBpffs(paths.bpffs);
    leave = moveInto(host);
    const own = makeTap(tap, () => tap);
    ({ pinDir } = own);
    setLink(own.ifindex, { alias, up: true });
    writePolicy(pinDir, encodePolicy(castPolicy({ mode: 'Conntrack', generation: 7n })));
    card = new VirtualCard(tap);
    const found = makeTap(FOUND_TAP, (ifindex) => `if-0-${ifindex}`);
    const foundPolicy = castPolicy({ guestMac: FOUND_CARD.mac, guestAddress: '100.64.0.8' });
    writePolicy(found.pinDir, encodePolicy(foundPolicy));
    const records = recordsDirOf(paths);
    mkdirSync(records, { recursive: true, mode: 0o700 });
    const key = cardKeyOf(FOUND_CARD);
    const record = serializeRecord({
      version: 1,
      vm: FOUND_CARD.vmId,
      tap: key,
      guestMac: FOUND_CARD.mac,
      guestAddress: '100.64.0.8',
      network: null,
      claim: null,
      createdAt: '2026-01-31T12:00:00Z',
    });
    writeFileSync(join(records, `${key}.json`), record);
  }, 60_000);
  afterAll(async () => {
    card?.close();
    leave?.();
    await lab?.close();
  }, 30_000);

  test('top --once: VMs on our taps and on those of others, by the kernel’s counters', async () => {
    const words = [
      process.execPath,
      'src/cli/main.ts',
      'top',
      '-o',
      'json',
      '--interval',
      '0.2',
      ...options(),
    ];
    const child = host.spawn(words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const lines = (): Interval[] =>
      said
        .split('\n')
        .slice(0, -1)
        .map((text) => JSON.parse(text) as Interval);
    const ofVm = (): Interval['vms'] => lines().flatMap(({ vms }) => vms.filter(({ vm }) => vm === VM));
    await poll('an interval with both kinds of frames', () => {
      for (const frame of [allowed, elsewhere, elsewhere]) card.send(frame);
      return ofVm().some(
        ({ fromVm }) => fromVm.allowed.packetsPerSecond > 0 && fromVm.dropped.packetsPerSecond > 0,
      );
    });
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    const busy = ofVm().find(({ fromVm }) => fromVm.dropped.packetsPerSecond > 0);
    expect(busy).toMatchObject({
      tap,
      fromVm: { reasons: [{ reason: 'DestinationAddress', audited: false }] },
    });
    expect(lines()[0]?.vms.map(({ vm, tap: on }) => [vm, on])).toContainEqual([FOUND_CARD.vmId, FOUND_TAP]);
    expect(lines()[0]?.seconds).toBeGreaterThanOrEqual(0.2);
  });

  test('top --once ends by itself, as a table, for one VM; one that is not there is refused at once', async () => {
    const { code, stdout, stderr } = await ctl('top', FOUND_TAP, '--once', '--interval', '0.1');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n').map((text) => text.replace(/ +/g, ' '))).toEqual([
      expect.stringMatching(/^\d{4}-.*Z, over [\d.]+ s$/),
      'VM TAP DIRECTION ALLOWED/S BIT/S DROPPED/S TOP REASON',
      `${FOUND_CARD.vmId} ${FOUND_TAP} from-vm 0 0 0 -`,
      `${FOUND_CARD.vmId} ${FOUND_TAP} to-vm 0 0 0 -`,
      '',
    ]);
    expect(await ctl('top', 'nobody')).toMatchObject({ code: 1, stdout: '' });
  });

  test('flows: the ends from the policy in the kernel, frames of known flows apart from those judged in full', async () => {
    for (let sent = 0; sent < 3; sent += 1) card.send(allowed);
    const { code, stdout, stderr } = await ctl('flows', VM, '-o', 'json', '--interval', '0.1');
    expect([code, stderr]).toEqual([0, '']);
    const { vms, refused } = JSON.parse(stdout) as { vms: VmFlows[]; refused: unknown };
    expect(refused).toBeNull();
    expect(vms).toMatchObject([
      {
        vm: VM,
        mode: 'Conntrack',
        generation: 7,
        guest: CAST.guestAddress,
        endpoint: `${CAST.endpoint.address}:${CAST.endpoint.port}`,
      },
    ]);
    const counted = new Map(
      vms[0]?.passages.map(({ direction, way, packets }) => [`${direction} ${way}`, packets]),
    );
    // One flow, however many frames.
    expect(counted.get('from-vm Allowed')).toBe(1);
    expect(counted.get('from-vm AllowedFlow')).toBeGreaterThanOrEqual(3);
    const text = await ctl('flows', '--interval', '0.1');
    expect(text.stdout).toMatch(new RegExp(`^${VM} +Conntrack +.* from-vm +of a known flow +\\d+ `, 'm'));
    expect(text.stderr).toContain('no agent answers');
  });

  test('explain --live judges by what the kernel holds, follows its changes, and counts nothing', async () => {
    const frames = ['--frame', hex(allowed), '--frame', hex(elsewhere)];
    const verdicts = async (...more: string[]) => {
      const { code, stdout, stderr } = await ctl('explain', '--live', VM, ...frames, '-o', 'json', ...more);
      const rows = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { verdict: string; reason: string });
      return { code, stderr, rows: rows.map(({ verdict, reason }) => `${verdict} ${reason}`) };
    };
    const before = counters(pinDir);
    expect(await verdicts()).toEqual({
      code: 0,
      stderr: '',
      rows: ['allow Allowed', 'drop DestinationAddress'],
    });
    expect((await verdicts('--engine', 'all')).rows).toEqual([
      ...new Array<string>(3).fill('allow Allowed'),
      ...new Array<string>(3).fill('drop DestinationAddress'),
    ]);
    expect(counters(pinDir)).toEqual(before);

    writePolicy(pinDir, encodePolicy(castPolicy({ endpoint: { address: '192.0.2.66', port: 51900 } })));
    expect((await verdicts()).rows).toEqual(['drop DestinationAddress', 'allow Allowed']);
    writePolicy(pinDir, null);
    expect(await verdicts()).toMatchObject({
      code: 0,
      stderr: 'the VM is denied: there is no policy in the kernel\n',
      rows: ['drop NoPolicy', 'drop NoPolicy'],
    });
    expect(readBack(pinDir).policyState).toBe('empty');
  });

  test('explain --live of a filter that was detached says that it is not in force', async () => {
    const frame = ['--frame', hex(allowed)];
    const table = await ctl('explain', '--live', FOUND_TAP, ...frame);
    expect(table.stderr).toContain(`${FOUND_CARD.vmId} on ${FOUND_TAP}, as the kernel has it`);
    expect(table.stderr).not.toContain('does not judge');
    const [pins] = readdirSync(paths.bpffs).filter((name) => name.startsWith('if-0-'));
    await host.run(['rm', join(paths.bpffs, pins ?? '', 'link_to_vm')]);
    expect((await ctl('explain', '--live', FOUND_TAP, ...frame)).stderr).toContain(
      'the kernel does not judge by it as it should: the to-VM program is not attached',
    );
  });

  test('doctor: filters without the guard behind them are a lack; nothing is changed by asking', async () => {
    const rules = (): Promise<string> => host.run(['nft', 'list', 'ruleset']);
    const state = async (): Promise<unknown[]> => [
      await rules(),
      readdirSync(paths.bpffs).sort(),
      readdirSync(paths.stateDir),
    ];
    const before = await state();
    const { code, stdout } = await ctl('doctor', '-o', 'json');
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Record<string, Check> };
    expect([code, ok]).toEqual([3, false]);
    expect(findings['guard']).toMatchObject({ needed: true, found: 'no' });
    const missing = Object.entries(findings).filter(([, { needed, found }]) => needed && found !== 'yes');
    expect(missing.map(([name]) => name)).toEqual(['guard']);
    expect(await state()).toEqual(before);

    expect(await ctl('guard', 'apply', '--managed-interfaces', 'vnet*')).toMatchObject({ code: 0 });
    expect(await rules()).not.toBe(before[0]);
    const guarded = await ctl('doctor');
    expect(guarded.stdout).toMatch(/^guard +\S.* yes +yes +the tables vmnetwork are in force/m);
    expect(guarded.code).toBe(0);
  });
});
