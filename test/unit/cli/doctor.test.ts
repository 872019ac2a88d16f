import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import type { Nft } from '../../../src/agent/host/nft.ts';
import { warnOfLooseReversePath } from '../../../src/agent/host/reverse-path.ts';
import { renderGuard } from '../../../src/agent/wiring/guard-rules.ts';
import { agentCheck } from '../../../src/cli/doctor/agent-check.ts';
import { capabilityChecks, limitChecks } from '../../../src/cli/doctor/caller-checks.ts';
import { checkTable } from '../../../src/cli/doctor/check-table.ts';
import { type Check, isReady, no, type Subject, unknown, yes } from '../../../src/cli/doctor/check.ts';
import { filterChecks } from '../../../src/cli/doctor/filter-checks.ts';
import { folderChecks } from '../../../src/cli/doctor/folder-checks.ts';
import { guardChecks } from '../../../src/cli/doctor/guard-checks.ts';
import { settingChecks } from '../../../src/cli/doctor/setting-checks.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { findProgram } from '../../../src/native/probe.ts';
import type { SeenStatus } from '../../../src/cli/agent/agent-status.ts';
import { root } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';
import { status } from './agent-server.ts';
import { scratch } from './scratch.ts';
import { vmnetctl } from './vmnetctl.ts';

const files = scratch();
const NOBODY = 65_534;

const needed: Subject = { name: 'tun', purpose: 'taps', needed: true };
const useful: Subject = { name: 'qemu', purpose: 'vmnetctl run', needed: false };
const plain = (_: unknown, text: string): string => text;
/** `name found` of each. */
const found = (checks: readonly Check[]): string[] => checks.map((check) => `${check.name} ${check.found}`);

test('the table: what is needed and not there is missing, what is only useful is not there', () => {
  const checks = [
    yes(needed, '/dev/net/tun'),
    no({ ...needed, name: 'nft' }, 'nft is not on the PATH', 'Install it: apt-get install nftables'),
    unknown({ ...needed, name: 'hook' }, 'cannot be tried', 'Run as root.'),
    no(useful, 'qemu is not on the PATH', ''),
  ];
  expect(checkTable(checks, plain)).toBe(
    [
      'WHAT  FOR           NEEDED  FOUND    DETAIL                   REMEDY',
      'tun   taps          yes     yes      /dev/net/tun             -',
      'nft   taps          yes     missing  nft is not on the PATH   Install it: apt-get install nftables',
      'hook  taps          yes     unknown  cannot be tried          Run as root.',
      'qemu  vmnetctl run  no      no       qemu is not on the PATH  -',
      '',
    ].join('\n'),
  );
  expect(checkTable(checks, (tone, text) => `<${tone}>${text}`)).toMatch(
    /<good>yes[^]*<bad>missing[^]*<warning>unknown[^]*<quiet>no/,
  );
});

test('ready is: all that is needed was found; what cannot be told was not', () => {
  expect(isReady([yes(needed, ''), no(useful, '', ''), unknown(useful, '', '')])).toBe(true);
  expect(isReady([yes(needed, ''), no(needed, '', 'x')])).toBe(false);
  expect(isReady([yes(needed, ''), unknown(needed, '', 'x')])).toBe(false);
});

describe('capabilities', () => {
  const of = (effective: bigint): Check[] =>
    capabilityChecks(`Name:\tx\nCapEff:\t${effective.toString(16).padStart(16, '0')}\nSeccomp:\t0\n`);
  const bit = (number: number): bigint => 1n << BigInt(number);

  test('exactly those of the agent: all that is needed is there', () => {
    const checks = of(bit(12) | bit(38) | bit(39) | bit(19));
    expect(isReady(checks)).toBe(true);
    expect(found(checks)).toContain('CAP_SYS_ADMIN no');
  });

  test.each([
    ['CAP_NET_ADMIN', 12],
    ['CAP_PERFMON', 38],
    ['CAP_BPF', 39],
    ['CAP_SYS_PTRACE', 19],
  ])('all but %s: it is missing, and its name is in the remedy', (name, number) => {
    const checks = of((bit(12) | bit(38) | bit(39) | bit(19)) & ~bit(number));
    expect(checks.filter((check) => check.needed && check.found !== 'yes')).toMatchObject([
      { name, found: 'no', remedy: expect.stringContaining(name) },
    ]);
  });

  test('CAP_SYS_ADMIN stands for those that were split off from it, and for no other', () => {
    expect(found(of(bit(21)))).toEqual([
      'CAP_BPF yes',
      'CAP_NET_ADMIN no',
      'CAP_PERFMON yes',
      'CAP_SYS_PTRACE no',
      'CAP_SYS_ADMIN yes',
    ]);
  });

  test('without /proc nothing is known', () => {
    expect(new Set(capabilityChecks('').map((check) => check.found))).toEqual(new Set(['unknown']));
  });
});

describe('limits', () => {
  const limits = (files_: string, memory: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units     \n` +
    `Max open files            ${files_.padEnd(20)} 524288               files     \n` +
    `Max locked memory         ${memory.padEnd(20)} 8388608              bytes     \n`;

  test.each([
    ['1024', '65536', '6.6.0', ['RLIMIT_NOFILE yes', 'RLIMIT_MEMLOCK yes']],
    ['256', '65536', '5.10.0', ['RLIMIT_NOFILE no', 'RLIMIT_MEMLOCK no']],
    ['unlimited', 'unlimited', '5.10.0', ['RLIMIT_NOFILE yes', 'RLIMIT_MEMLOCK yes']],
  ])('%s files and %s bytes on Linux %s', (open, memory, running, expected) => {
    expect(found(limitChecks(limits(open, memory), running))).toEqual(expected);
  });

  test('the soft limit is the one that counts; what is not told is unknown', () => {
    expect(limitChecks(limits('99', '0'), '6.6.0')[0]).toMatchObject({ detail: '99 for this caller' });
    expect(found(limitChecks('', '5.10.0'))).toEqual(['RLIMIT_NOFILE unknown', 'RLIMIT_MEMLOCK unknown']);
  });
});

describe('settings', () => {
  const kernel = (values: Readonly<Record<string, string>>) => ({
    readSetting: (path: string) => values[path] ?? null,
  });
  const values = (forwarding: string, rpFilter: string) => ({
    'net/ipv4/conf/all/forwarding': forwarding,
    'net/ipv4/conf/all/rp_filter': rpFilter,
  });
  const failing = (code: string) => () => Object.assign(new Error(`${code}: x`), { code });

  test.each(['0', '1'])('a host that forwards (%s) or does not: both will do', (forwarding) => {
    const checks = settingChecks(kernel(values(forwarding, '1')), () => true);
    expect(found(checks)).toEqual(['settings yes', 'forwarding yes', 'rp_filter yes']);
  });

  test('loose for all is loose for every tap', () => {
    const [, , reversePath] = settingChecks(kernel(values('0', '2')), () => true);
    expect(reversePath).toMatchObject({ found: 'no', remedy: expect.stringContaining('rp_filter=1') });
  });

  test('a /proc/sys for reading only is missing; one that is for root is unknown', () => {
    expect(settingChecks(kernel(values('0', '0')), failing('EROFS'))[0]).toMatchObject({ found: 'no' });
    expect(settingChecks(kernel(values('0', '0')), failing('EACCES'))[0]).toMatchObject({ found: 'unknown' });
  });

  test('a container has them where VMNET_PROC_SYS_NET says', async () => {
    const place = join(files.folder, 'net');
    mkdirSync(join(place, 'ipv4/conf/default'), { recursive: true });
    writeFileSync(join(place, 'ipv4/conf/default/forwarding'), '0');
    const module = new URL('../../../src/cli/doctor/setting-checks.ts', import.meta.url).href;
    const words = `import { settingChecks } from ${JSON.stringify(module)};
      process.stdout.write(JSON.stringify(settingChecks({ readSetting: () => null })));`;
    const env = { ...process.env, VMNET_PROC_SYS_NET: place };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', words], {
      env,
    });
    const checks = JSON.parse(stdout) as Check[];
    expect(checks[0]).toMatchObject({ found: 'yes', detail: `${place} can be written to` });
    expect(checks[2]?.detail).toContain(join(place, 'ipv4/conf/all/rp_filter'));
  });

  test('loose for all is warned of by the agent, too', () => {
    const warned: unknown[] = [];
    const log = { warn: (...said: unknown[]) => void warned.push(said) };
    warnOfLooseReversePath(kernel(values('0', '1')), log);
    warnOfLooseReversePath(kernel({}), log);
    expect(warned).toEqual([]);
    warnOfLooseReversePath(kernel(values('0', '2')), log);
    expect(warned).toEqual([[{ remedy: expect.stringContaining('rp_filter=1') }, expect.any(String)]]);
  });

  test('a setting that this kernel does not have, or does not show', () => {
    expect(found(settingChecks(kernel({}), () => true)).slice(1)).toEqual(['forwarding no', 'rp_filter no']);
    const refusing = {
      readSetting: () => {
        throw new VmnError('VMN_SYSCTL', { attempted: 'read' });
      },
    };
    expect(found(settingChecks(refusing, () => true)).slice(1)).toEqual([
      'forwarding unknown',
      'rp_filter unknown',
    ]);
  });
});

describe('folders', () => {
  const of = (change: Partial<Parameters<typeof folderChecks>[0]> = {}): Record<string, Check> => {
    const paths = {
      stateDir: files.folder,
      runDir: files.folder,
      bpffs: files.folder,
      pool: '100.64.0.0/16',
    };
    return Object.fromEntries(folderChecks({ ...paths, ...change }).map((check) => [check.name, check]));
  };
  const folder = (name: string, mode: number): string => {
    const path = join(files.folder, name);
    mkdirSync(path);
    chmodSync(path, mode);
    return path;
  };

  test('one that is there, with its mode and space', () => {
    const path = folder('state', 0o700);
    expect(of({ stateDir: path })['stateDir']).toMatchObject({
      found: 'yes',
      detail: expect.stringMatching(new RegExp(`^${path}, mode 0700, \\d+ MiB free$`)),
    });
  });

  test('one that is not there is made when needed, and is not made now', () => {
    const path = join(files.folder, 'not', 'yet');
    expect(of({ runDir: path })['runDir']).toMatchObject({
      found: 'yes',
      detail: `${path} is not there yet; it is made when needed`,
    });
    expect(of({ runDir: path })['runDir']?.detail).toContain('not there yet');
  });

  test('one that others may write to, and a file in its place, are told with a remedy', () => {
    const open = folder('open', 0o777);
    expect(of({ stateDir: open })['stateDir']).toMatchObject({
      found: 'no',
      remedy: `Run: chmod 0700 ${open}`,
    });
    const file = join(files.folder, 'file');
    writeFileSync(file, '');
    expect(of({ stateDir: join(file, 'below') })['stateDir']).toMatchObject({ found: 'no' });
  });

  test('pins on an ordinary file system do not last', () => {
    expect(of()['bpffs']).toMatchObject({ found: 'no', remedy: expect.stringContaining('mount -t bpf bpf') });
  });
});

describe('nft and the guard', () => {
  const pool = '100.64.0.0/16';
  const rules = renderGuard({ pool, openedUplinks: [], managed: { patterns: [], links: [] } });
  const familyOf = (object: object): unknown => (Object.values(object)[0] as { family: string }).family;
  const holding = (objects: readonly object[]): Nft => ({
    listTable: (_, family) => {
      const its = objects.filter((object) => familyOf(object) === family);
      return Promise.resolve(its.length === 0 ? null : its);
    },
    apply: () => Promise.reject(new Error('doctor changes nothing')),
  });
  const of = async (change: Partial<Parameters<typeof guardChecks>[0]>) =>
    guardChecks({
      nft: holding([]),
      pool,
      nftVersion: () => Promise.resolve('nftables v1'),
      hasFilters: () => false,
      isRoot: true,
      ...change,
    });

  test('in force', async () => {
    const [, guard] = await of({ nft: holding(rules as object[]), hasFilters: () => true });
    expect(guard).toMatchObject({ name: 'guard', needed: true, found: 'yes' });
  });

  test('absent before the first filter: as it should be', async () => {
    expect((await of({}))[1]).toMatchObject({ needed: false, found: 'no' });
  });

  test('absent behind filters, and meddled with: missing', async () => {
    expect((await of({ hasFilters: () => true }))[1]).toMatchObject({
      needed: true,
      found: 'no',
      remedy: expect.stringContaining('vmnetctl guard apply'),
    });
    const [, guard] = await of({ nft: holding((rules as object[]).slice(0, -1)), hasFilters: () => true });
    expect(guard).toMatchObject({
      needed: true,
      found: 'no',
      detail: expect.stringContaining('not as this version'),
    });
  });

  test('a user may not see it; nor may root where nft fails', async () => {
    expect((await of({ isRoot: false }))[1]).toMatchObject({ found: 'unknown' });
    const listTable = () => Promise.reject(new VmnError('VMN_NFT_FAILED', { attempted: 'read' }));
    expect((await of({ nft: { ...holding([]), listTable } }))[1]).toMatchObject({ found: 'unknown' });
  });

  test('the version is told; a program that does not run is missing', async () => {
    const there = findProgram('nft') !== null;
    expect((await of({}))[0]).toMatchObject(
      there ? { found: 'yes', detail: expect.stringContaining('nftables v1') } : { found: 'no' },
    );
    expect((await of({ nftVersion: () => Promise.resolve(null) }))[0]).toMatchObject({ found: 'no' });
  });
});

describe('an agent that runs', () => {
  const silent = () => Promise.reject(new VmnError('VMN_AGENT_UNREACHABLE', { attempted: 'ask' }));
  const paths = () => ({ stateDir: files.folder, runDir: join(files.folder, 'run') });
  const nobody = () => null;

  test('is told with its version and process', async () => {
    const ask = () => Promise.resolve(status() as unknown as SeenStatus);
    expect(await agentCheck(paths(), ask, () => '', nobody)).toMatchObject({
      found: 'yes',
      detail: 'version 0.1.0 runs as process 1 since 2026-01-31T12:00:00Z',
    });
  });

  test('none', async () => {
    expect(await agentCheck(paths(), silent, () => '', nobody)).toMatchObject({
      needed: false,
      found: 'no',
      remedy: '',
    });
  });

  test('one that holds its lock and does not answer', async () => {
    const lock = files.write('agent.lock', '');
    const { ino } = await import('node:fs').then(({ statSync }) => statSync(lock));
    const line = (inode: number) => `1: FLOCK  ADVISORY  WRITE 4711 fd:00:${inode} 0 EOF\n`;
    const held = await agentCheck(paths(), silent, () => line(ino), nobody);
    expect(held.detail).toContain(`${lock} is held`);
    const another = await agentCheck(paths(), silent, () => line(ino + 1), nobody);
    expect(another.detail).not.toContain('held');
  });

  test('with other folders than were given', async () => {
    const folders = { stateDir: '/var/lib/other', runDir: '/run/other' };
    const place = 'unit vmnet-agent.service';
    const check = await agentCheck(
      paths(),
      silent,
      () => '',
      () => ({ pid: 4711, place, folders }),
    );
    expect(check).toMatchObject({
      found: 'no',
      detail: expect.stringContaining(
        'process 4711 (unit vmnet-agent.service, state folder /var/lib/other) has this host',
      ),
      remedy: 'Ask that one: --run-dir /run/other --state-dir /var/lib/other',
    });
  });
});

test('what was refused to the caller is unknown, what failed otherwise is missing', () => {
  const bad = { ok: false, detail: 'x', remedy: 'y' };
  const good = { ok: true, detail: 'x', remedy: '' };
  const probed = Object.fromEntries(
    [
      'kernel',
      'root',
      'native',
      'bpf',
      'btf',
      'mapInMap',
      'ringBuffer',
      'kernelMemory',
      'hook',
      'filter',
      'tun',
    ].map((part) => [part, part === 'bpf' || part === 'btf' ? bad : good]),
  ) as Parameters<typeof filterChecks>[0];
  const checks = filterChecks(probed, (part) => part === 'bpf');
  expect(found(checks.filter((check) => check.found !== 'yes'))).toEqual(['bpf unknown', 'btf no']);
});

requires(root).test('a user learns what can be known, and that the rest cannot', async () => {
  const nowhere = ['--state-dir', '/nonexistent', '--run-dir', '/nonexistent'];
  const { code, stdout } = await vmnetctl(['doctor', '-o', 'json', ...nowhere], { uid: NOBODY });
  expect(code).toBe(3);
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Record<string, Check> };
  expect(ok).toBe(false);
  expect(findings['kernel']).toMatchObject({ found: 'yes' });
  expect(findings['root']).toMatchObject({ found: 'no' });
  for (const name of ['bpf', 'filter', 'hook', 'stateDir', 'guard', 'settings'])
    expect([name, findings[name]?.found]).toEqual([name, 'unknown']);
});
