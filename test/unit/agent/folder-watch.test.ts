import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderWatch } from '../../../src/agent/host/folder-watch.ts';
import { poll } from '../../support/lab/poll.ts';

let root: string;
let told: number;
let watch: FolderWatch;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmn-watch-'));
  told = 0;
  watch = new FolderWatch(join(root, 'run/docker/netns'), () => (told += 1));
});
afterEach(() => {
  watch.close();
  rmSync(root, { recursive: true, force: true });
});

const untilTold = async (what: string): Promise<void> => {
  await poll(what, () => told > 0);
  told = 0;
};

test('a folder that comes with all above it is told, and what comes into it', async () => {
  mkdirSync(join(root, 'run'));
  await untilTold('the first step');
  mkdirSync(join(root, 'run/docker/netns'), { recursive: true });
  await untilTold('the folder');
  writeFileSync(join(root, 'run/docker/netns/pod'), '');
  await untilTold('what came');
});

test('one that is removed and made again is told of, too', async () => {
  const folder = join(root, 'run/docker/netns');
  mkdirSync(folder, { recursive: true });
  await untilTold('the folder');
  rmSync(join(root, 'run/docker'), { recursive: true });
  await untilTold('its end');
  mkdirSync(folder, { recursive: true });
  await untilTold('the new one');
  writeFileSync(join(folder, 'pod'), '');
  await untilTold('what came');
});

test('another folder of the same name takes its place', async () => {
  const folder = join(root, 'run/docker/netns');
  for (const at of [folder, `${folder}.next`]) mkdirSync(at, { recursive: true });
  await untilTold('the folder');
  renameSync(folder, `${folder}.old`);
  renameSync(`${folder}.next`, folder);
  await poll('the other one', () => told > 0 && watch.isWatching);
  await new Promise((resolve) => setTimeout(resolve, 50));
  told = 0;
  writeFileSync(join(`${folder}.old`, 'pod'), '');
  writeFileSync(join(folder, 'pod'), '');
  await untilTold('what came');
});

test('a link that leads to another folder is told, and what comes into that', async () => {
  mkdirSync(join(root, 'run/docker'), { recursive: true });
  for (const name of ['one', 'two']) {
    mkdirSync(join(root, name));
    symlinkSync(join(root, name), join(root, 'run/docker/next'));
    renameSync(join(root, 'run/docker/next'), join(root, 'run/docker/netns'));
    await untilTold('the link');
    await poll('the folder that it leads to', () => watch.isWatching);
    await new Promise((resolve) => setTimeout(resolve, 50));
    told = 0;
    writeFileSync(join(root, name, 'pod'), '');
    await untilTold('what came');
  }
});

test('what else is above it is not told', async () => {
  mkdirSync(join(root, 'run'));
  await untilTold('the first step');
  writeFileSync(join(root, 'run/other.pid'), '');
  mkdirSync(join(root, 'run/docker'));
  await untilTold('the next step');
  writeFileSync(join(root, 'run/other.pid'), 'x');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(told).toBe(0);
});
