import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { parseRecord, RecordFolder, serializeRecord } from '../../../src/agent/wiring/record.ts';
import type { AttachmentRecord } from '../../../src/agent/wiring/record.ts';

const { tap, guestMac } = identityOf('vm-a');
const record: AttachmentRecord = {
  version: 1,
  vm: 'vm-a',
  tap,
  guestMac,
  guestAddress: '100.64.0.5',
  network: null,
  claim: null,
  createdAt: '2026-01-31T12:00:00.000Z',
};

describe('records', () => {
  let root: string;
  let dir: string;
  let folder: RecordFolder;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'vmn-record-'));
    dir = join(root, 'attachments');
    folder = new RecordFolder(dir);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test('what was written is read, by tap and in the list', () => {
    expect(folder.read(tap)).toEqual({ state: 'absent' });
    folder.write(record);
    folder.write({ ...record, network: 't/one', claim: { pid: 7, startTicks: '99' } });
    const expected = {
      state: 'ok',
      record: { ...record, network: 't/one', claim: { pid: 7, startTicks: '99' } },
    };
    expect(folder.read(tap)).toEqual(expected);
    expect(folder.list()).toEqual(new Map([[tap, expected]]));
  });

  test('the list reads a file again when it is another one or has changed, and only then', () => {
    const later = new RecordFolder(dir, () => Date.now() + 60_000);
    later.write(record);
    const first = later.list().get(tap);
    expect(later.list().get(tap)).toBe(first);
    // As `vmnetctl run` does it.
    folder.write({ ...record, network: 't/one' });
    expect(later.list().get(tap)).toMatchObject({ state: 'ok', record: { network: 't/one' } });
    const path = join(dir, `${tap}.json`);
    writeFileSync(path, readFileSync(path, 'utf8').replace('t/one', 't/two'));
    expect(later.list().get(tap)?.state).toBe('unreadable');
    folder.remove(tap);
    expect(later.list()).toEqual(new Map());
  });

  test('the list reads a file that has changed just now each time: the next change may bear the same time', () => {
    folder.write(record);
    expect(folder.list().get(tap)).not.toBe(folder.list().get(tap));
  });

  test('the answer to violations is kept; a record from before there was one is read as it is', () => {
    const violations = { answered: 3, quarantinedAt: '2026-01-31T12:00:00.000Z', toEnd: true };
    for (const one of [record, { ...record, violations }]) {
      folder.write(one);
      expect(folder.read(tap)).toEqual({ state: 'ok', record: one });
    }
    expect(() =>
      parseRecord(serializeRecord({ ...record, violations: { ...violations, answered: -1 } }), tap),
    ).toThrow();
  });

  test('one of a later version is no damaged one: it is refused, and says which agent reads it', () => {
    folder.write({ ...record, version: 2 as never, later: true } as AttachmentRecord);
    const found = folder.read(tap);
    if (found.state !== 'unreadable') throw new Error(found.state);
    expect(found.error.message).toContain('version 2 of its format');
    expect(found.error.remedy).toContain('version that wrote it');
    expect(folder.list().get(tap)?.state).toBe('unreadable');
  });

  test('is for root alone, and leaves no temporary file', () => {
    folder.write(record);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, `${tap}.json`)).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual([`${tap}.json`]);
  });

  test('the last record takes the folder with it; removing what is not there succeeds', () => {
    folder.remove(tap);
    folder.write(record);
    folder.remove(tap);
    expect(existsSync(dir)).toBe(false);
    expect(folder.list().size).toBe(0);
  });

  test('a crash before the rename left a draft: it is no record, and goes with the record', () => {
    folder.write(record);
    writeFileSync(join(dir, `${tap}.json.new`), 'half a rec');
    expect([...folder.list().keys()]).toEqual([tap]);
    folder.remove(tap);
    expect(existsSync(dir)).toBe(false);
  });

  test('any damaged byte makes it unreadable, never another record', () => {
    const text = serializeRecord(record);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 33, max: 126 }), (at, code) => {
        const damaged = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        let read: AttachmentRecord | null = null;
        try {
          read = parseRecord(damaged, tap);
        } catch {
          return;
        }
        expect(read).toEqual(record);
      }),
    );
  });

  test.each([
    ['cut off', (text: string) => text.slice(0, 40)],
    ['empty', () => ''],
    ['of another tap', (text: string) => text.replaceAll(tap, 'vmn-0000000000')],
    ['without its checksum', () => JSON.stringify({ record })],
  ])('a file that is %s is unreadable and says so', (_how, damage) => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, `${tap}.json`), damage(serializeRecord(record)));
    expect(folder.read(tap)).toEqual({
      state: 'unreadable',
      error: expect.objectContaining({ code: 'VMN_STATE_UNREADABLE', on: join(dir, `${tap}.json`) }),
    });
  });

  test('a record with a valid checksum but foreign fields is unreadable', () => {
    const foreign = { ...record, surprise: true };
    expect(() => parseRecord(serializeRecord(foreign), tap)).toThrow();
    expect(() => parseRecord(serializeRecord({ ...record, guestAddress: '010.0.0.1' }), tap)).toThrow();
  });

  test('other files in the folder are not ours to read', () => {
    folder.write(record);
    writeFileSync(join(dir, 'notes.json'), '{}');
    expect([...folder.list().keys()]).toEqual([tap]);
    expect(readFileSync(join(dir, 'notes.json'), 'utf8')).toBe('{}');
  });

  test('a folder that cannot be made or listed is an error with its path', () => {
    writeFileSync(dir, 'a file');
    expect(() => folder.list()).toThrow(expect.objectContaining({ code: 'VMN_STATE_UNREADABLE', on: dir }));
    expect(() => folder.write(record)).toThrow(expect.objectContaining({ code: 'VMN_STATE_UNREADABLE' }));
  });
});
