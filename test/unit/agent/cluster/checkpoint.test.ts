import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointFile } from '../../../../src/agent/source/cluster/checkpoint-file.ts';
import { parseCheckpoint, serializeCheckpoint } from '../../../../src/agent/source/cluster/checkpoint.ts';
import type { Checkpoint } from '../../../../src/agent/source/cluster/checkpoint.ts';
import {
  savedAttachment,
  savedClass,
  wishedAttachment,
} from '../../../../src/agent/source/cluster/wishes.ts';
import { attachment, networkClass, NODE, wished } from '../support/cluster-objects.ts';

const checkpoint: Checkpoint = {
  nodeName: NODE,
  savedAt: '2026-01-31T12:00:00.000Z',
  attachments: [savedAttachment(attachment()), savedAttachment(attachment({ vm: 'vm-b', deleting: true }))],
  classes: [savedClass(networkClass())],
};

describe('a checkpoint', () => {
  test('says what was wished, to be judged anew by whoever reads it', () => {
    const read = parseCheckpoint(serializeCheckpoint(checkpoint), NODE);
    expect(read).toEqual(checkpoint);
    expect(read.attachments.map(wishedAttachment)).toEqual([
      wished(attachment()),
      wished(attachment({ vm: 'vm-b', deleting: true })),
    ]);
  });

  test('with any byte another, missing or more is none', () => {
    const text = serializeCheckpoint(checkpoint);
    for (let at = 0; at < text.length; at += 7) {
      const other = text[at] === 'x' ? 'y' : 'x';
      for (const odd of [text.slice(0, at) + other + text.slice(at + 1), text.slice(0, at), text + text[at]!])
        expect(() => parseCheckpoint(odd, NODE)).toThrow();
    }
  });

  test('of another node is none', () => {
    expect(() => parseCheckpoint(serializeCheckpoint(checkpoint), 'node-2')).toThrow('node-1');
  });
});

describe('the file of the checkpoint', () => {
  let dir: string;
  let paths: { file: string; voidMark: string };
  let file: CheckpointFile;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vmn-checkpoint-'));
    paths = { file: join(dir, 'state', 'wishes'), voidMark: join(dir, 'run', 'void') };
    file = new CheckpointFile(paths);
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  test('holds what was written last, for root alone', () => {
    expect(file.read(NODE)).toEqual({ state: 'absent' });
    expect(file.write(checkpoint)).toBeNull();
    expect(file.read(NODE)).toEqual({ state: 'ok', checkpoint });
    expect(statSync(paths.file).mode & 0o777).toBe(0o600);
  });

  test('damaged: says so and how it heals, and is not taken for an absent one', () => {
    file.write(checkpoint);
    writeFileSync(paths.file, readFileSync(paths.file, 'utf8').slice(0, -3));
    expect(file.read(NODE)).toMatchObject({
      state: 'damaged',
      error: { code: 'VMN_STATE_UNREADABLE', remedy: expect.stringContaining('denied until then') },
    });
  });

  test('that cannot be replaced does not stay: it would be older than what is enforced', () => {
    file.write(checkpoint);
    // The temporary file beside it cannot be made.
    mkdirSync(`${paths.file}.new`);
    expect(file.write(checkpoint)).toMatchObject({ code: 'VMN_STATE_UNREADABLE' });
    expect(existsSync(paths.file)).toBe(false);
    expect(file.read(NODE)).toEqual({ state: 'absent' });
  });

  test('that can be neither replaced nor removed is void, until it is replaced', () => {
    file.write(checkpoint);
    rmSync(paths.file);
    // A folder in its place stands for a disk that turned read-only; so it does for root, too.
    mkdirSync(join(paths.file, 'full'), { recursive: true });
    expect(file.write(checkpoint)).toMatchObject({ code: 'VMN_STATE_UNREADABLE' });
    expect(existsSync(paths.voidMark)).toBe(true);
    rmSync(paths.file, { recursive: true });
    writeFileSync(paths.file, serializeCheckpoint(checkpoint));
    expect(file.read(NODE)).toMatchObject({ state: 'damaged' });
    expect(file.write(checkpoint)).toBeNull();
    expect(file.read(NODE)).toEqual({ state: 'ok', checkpoint });
  });

  test('is of no use to an agent that goes by manifests, and goes', () => {
    file.write(checkpoint);
    file.discard();
    expect(file.read(NODE)).toEqual({ state: 'absent' });
  });
});
