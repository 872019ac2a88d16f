import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { loadGuestKey } from '../../../../src/agent/guest/key-file.ts';
import { removeLeftSeeds } from '../../../../src/agent/guest/left-seeds.ts';
import { RecordsAndSecrets } from '../../../../src/agent/guest/records.ts';
import type { Link } from '../../../../src/agent/host/kernel.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { guestKeyOf, seedOf, seedsDirOf } from '../../../../src/agent/wiring/paths.ts';
import type { AttachmentRecord, Claim } from '../../../../src/agent/wiring/record.ts';

let paths: { stateDir: string; runDir: string };
let records: RecordsAndSecrets;
beforeEach(() => {
  const dir = mkdtempSync(join(tmpdir(), 'vmnet-guest-secrets-'));
  paths = { stateDir: join(dir, 'state'), runDir: join(dir, 'run') };
  records = new RecordsAndSecrets(paths);
});
afterEach(() => {
  rmSync(dirname(paths.stateDir), { recursive: true });
});

/** Notes a VM with everything that it has while it runs; gives the name of its tap. */
function know(vm: string, claim: Claim | null = null): string {
  const { tap, guestMac } = identityOf(vm);
  const { publicKey } = loadGuestKey(guestKeyOf(paths, tap));
  const record: AttachmentRecord = {
    ...{ version: 1, vm, tap, guestMac, guestAddress: '100.64.0.5', network: null, claim },
    ...{ createdAt: '2026-01-31T12:00:00.000Z', guest: { publicKey } },
  };
  records.write(record);
  mkdirSync(seedsDirOf(paths), { recursive: true });
  writeFileSync(seedOf(paths, tap), vm);
  return tap;
}

test('with the record of a VM its key goes and its seed, what a killed writer left too, and nothing of others', () => {
  const [one, other] = [know('one'), know('other')];
  expect(records.read(one)).toMatchObject({
    state: 'ok',
    record: { guest: { publicKey: expect.any(String) } },
  });
  const key = loadGuestKey(guestKeyOf(paths, other));
  writeFileSync(`${seedOf(paths, one)}.0123456789abcdef.unfinished-seed`, 'half');
  records.remove(one);
  expect(existsSync(guestKeyOf(paths, one))).toBe(false);
  expect(readdirSync(seedsDirOf(paths))).toEqual([`${other}.iso`]);
  expect([...records.list().keys()]).toEqual([other]);
  expect(loadGuestKey(guestKeyOf(paths, other))).toEqual(key);

  records.remove(other);
  expect([readdirSync(paths.stateDir), readdirSync(paths.runDir)]).toEqual([[], []]);
  records.remove(other);
});

test('a key that cannot be wiped keeps its record, so that it is tried again', () => {
  const tap = know('one');
  rmSync(guestKeyOf(paths, tap));
  mkdirSync(guestKeyOf(paths, tap));
  expect(() => {
    records.remove(tap);
  }).toThrow(guestKeyOf(paths, tap));
  expect(records.read(tap).state).toBe('ok');
});

test('seeds of VMs that have ended are left over: not of one that has its tap, nor of a launcher that lives', () => {
  const alive = { pid: 4711, startTicks: '1' };
  const dead = { pid: 4712, startTicks: '1' };
  const own = { pid: 4713, startTicks: '1' };
  const kept = [know('runs', dead), know('about-to-start', alive)];
  const left = [know('ended', dead), know('of-this-process', own)];
  const unknown = identityOf('unknown').tap;
  writeFileSync(seedOf(paths, unknown), 'no record');
  writeFileSync(join(seedsDirOf(paths), 'of somebody else'), '');
  const kernel = {
    processStart: (pid: number) => (pid === dead.pid ? null : '1'),
    linkByName: (name: string) => (name === unknown ? null : ({ name, carrier: name === kept[0] } as Link)),
  };
  removeLeftSeeds(paths, { kernel, records }, own.pid);
  expect(readdirSync(seedsDirOf(paths)).sort()).toEqual(
    [...kept.map((tap) => `${tap}.iso`), 'of somebody else'].sort(),
  );
  for (const tap of [...kept, ...left]) expect(existsSync(guestKeyOf(paths, tap))).toBe(true);
});
