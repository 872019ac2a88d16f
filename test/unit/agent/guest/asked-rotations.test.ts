import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { answerRotations } from '../../../../src/agent/guest/asked-rotations.ts';
import { loadGuestKey } from '../../../../src/agent/guest/key-file.ts';
import { makeNextKey, retireKey } from '../../../../src/agent/guest/key-rotation.ts';
import { RecordsAndSecrets } from '../../../../src/agent/guest/records.ts';
import { LockBusy } from '../../../../src/agent/host/lock.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { guestKeyOf } from '../../../../src/agent/wiring/paths.ts';
import type { AttachmentRecord } from '../../../../src/agent/wiring/record.ts';

const { tap, guestMac } = identityOf('vm');
let paths: { stateDir: string; runDir: string };
let records: RecordsAndSecrets;
let file: string;
let said: object[];
beforeEach(() => {
  const dir = mkdtempSync(join(tmpdir(), 'vmnet-rotations-'));
  paths = { stateDir: join(dir, 'state'), runDir: join(dir, 'run') };
  records = new RecordsAndSecrets(paths);
  file = guestKeyOf(paths, tap);
  said = [];
});
afterEach(() => {
  rmSync(dirname(paths.stateDir), { recursive: true });
});

function know(more: Partial<AttachmentRecord> = {}): void {
  records.write({
    ...{
      version: 1,
      vm: 'vm',
      tap,
      guestMac,
      guestAddress: '100.64.0.5',
      network: 'tenant/one',
      claim: null,
    },
    ...{ createdAt: '2026-01-31T12:00:00.000Z', ...more },
  });
}

const record = (): AttachmentRecord | null => {
  const found = records.read(tap);
  return found.state === 'ok' ? found.record : null;
};

const free = <T>(work: () => T): Promise<T> => Promise.resolve(work());

/** One pass, which saw the records as they are. */
function pass(asked: string, whenStateLockIsFree: typeof free = free) {
  const ports = { whenStateLockIsFree, withStateLock: <T>(body: () => T): T => body(), records };
  const log = { info: (what: unknown) => void said.push(what as object) };
  const seen = [{ observed: { record: records.read(tap) } }, { observed: null }];
  return answerRotations(seen, new Map([['tenant/one', asked]]), { ports, paths, log });
}
const DONE = { problems: [], unfinished: false };

test('a request is answered once, and each new one again', async () => {
  const { publicKey } = loadGuestKey(file);
  know({ guest: { publicKey } });
  expect([await pass('1'), await pass('1')]).toEqual([DONE, DONE]);
  expect(said).toHaveLength(1);
  const nextPublicKey = record()?.guest?.nextPublicKey;
  expect(record()).toMatchObject({ guest: { publicKey, nextPublicKey: expect.any(String) }, rotation: '1' });
  expect(JSON.stringify(said)).not.toContain(loadGuestKey(file).privateKey);
  // Not in force yet: consumers may have been told of it.
  await pass('2');
  expect(record()).toMatchObject({ guest: { publicKey, nextPublicKey }, rotation: '2' });
  retireKey(file);
  know({ guest: { publicKey: nextPublicKey! }, rotation: '2' });
  await pass('2');
  expect(record()?.guest).toEqual({ publicKey: nextPublicKey });
  await pass('3');
  expect(record()?.guest?.nextPublicKey).not.toBe(publicKey);
});

test('nothing is asked of a VM of another network, without a key, or without a record', async () => {
  await pass('1');
  expect(record()).toBeNull();
  know();
  await pass('1');
  expect(record()).not.toHaveProperty('rotation');
  know({ network: 'tenant/two', guest: loadedGuest() });
  await pass('1');
  know({ guest: loadedGuest() });
  rmSync(file);
  await pass('1');
  expect(record()).not.toHaveProperty('rotation');
  expect(said).toEqual([]);
});

test('killed between the key and its note it is the same key that is noted by the next', async () => {
  know({ guest: loadedGuest() });
  const made = makeNextKey(file);
  await pass('1');
  expect(record()?.guest?.nextPublicKey).toBe(made?.next.publicKey);
});

test('while somebody holds the state lock it is to be done again; what cannot be done is told, and nothing is noted', async () => {
  know({ guest: loadedGuest() });
  expect(await pass('1', () => Promise.reject(new LockBusy('held')))).toEqual({
    problems: [],
    unfinished: true,
  });
  writeFileSync(file, 'half');
  const { problems, unfinished } = await pass('1');
  expect(problems).toMatchObject([{ on: tap, error: { code: 'VMN_STATE_UNREADABLE' } }]);
  expect([unfinished, record()?.rotation, readdirSync(dirname(file))]).toEqual([
    false,
    undefined,
    [`${tap}.json`],
  ]);
});

function loadedGuest(): { publicKey: ReturnType<typeof loadGuestKey>['publicKey'] } {
  const { publicKey } = loadGuestKey(file);
  return { publicKey };
}
