import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquireLock, lockFolder } from '../../../src/agent/host/lock.ts';
import { describeHolder, foldersIn, holderOf, placeIn } from '../../../src/agent/host/lock-holder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vmn-holder-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('of a file and of a folder it is the process that locked it, by what the kernel lists', () => {
  const path = join(dir, 'agent.lock');
  expect(holderOf(path)).toBe(null);
  const file = acquireLock(path, { wait: false });
  expect(holderOf(path)).toMatchObject({ pid: process.pid });
  file.release();
  expect(holderOf(dir)).toBe(null);
  const folder = lockFolder(dir);
  expect(holderOf(dir)).toMatchObject({ pid: process.pid, folders: null });
  expect(folder.isAt(dir)).toBe(true);
  folder.release();
  expect(holderOf(dir)).toBe(null);
});

test('of two locks with one inode number the one on its device is meant; where no device matches, either', () => {
  const { ino } = statSync(dir);
  const line = (pid: number, device: string): string =>
    `1: FLOCK  ADVISORY  WRITE ${String(pid)} ${device}:${String(ino)} 0 EOF\n`;
  const device = statSync(dir, { bigint: true }).dev;
  const [major, minor] = [(device >> 8n) & 0xfffn, (device & 0xffn) | ((device >> 12n) & 0xfff00n)];
  const own = [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
  expect(holderOf(dir, () => line(11, 'fe:fe') + line(12, own))).toMatchObject({ pid: 12 });
  expect(holderOf(dir, () => line(11, 'fe:fe'))).toMatchObject({ pid: 11 });
  // Of another pid namespace.
  expect(holderOf(dir, () => line(0, own))).toBe(null);
});

test('its folders are those of its command line, or the usual ones; a process that is none of ours has none', () => {
  const node = ['/usr/bin/node', '--expose-gc', '/opt/vmnetwork/src/agent/main.ts'];
  const usual = { stateDir: '/var/lib/vmnetwork', runDir: '/run/vmnetwork' };
  expect(foldersIn(node)).toEqual(usual);
  expect(foldersIn([...node, '--state-dir', '/a', '--run-dir=/b'])).toEqual({ stateDir: '/a', runDir: '/b' });
  expect(foldersIn([...node, '--state-dir'])).toEqual(usual);
  expect(foldersIn(['/usr/bin/flock', '/run/lock'])).toBe(null);
});

test('its place is its pod or its unit', () => {
  const uid = '0f3c2a10-7b1e-4c55-9f0e-4d1d5e6f7a8b';
  const slice = `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`;
  expect(placeIn(`0::/kubepods.slice/kubepods-burstable.slice/${slice}/cri-containerd-1f.scope\n`)).toBe(
    `pod ${uid}`,
  );
  expect(placeIn('0::/system.slice/vmnet-agent.service\n')).toBe('unit vmnet-agent.service');
  expect(placeIn('0::/user.slice/user-0.slice/session-1.scope\n')).toBe(null);
});

test('it is described by what is known', () => {
  const folders = { stateDir: '/var/lib/vmnetwork', runDir: '/run/vmnetwork' };
  expect(describeHolder({ pid: 812, place: 'unit vmnet-agent.service', folders })).toBe(
    'process 812 (unit vmnet-agent.service, state folder /var/lib/vmnetwork)',
  );
  expect(describeHolder({ pid: 812, place: null, folders: null })).toBe('process 812');
  expect(describeHolder(null)).toBe('a process that is not visible from here');
});
