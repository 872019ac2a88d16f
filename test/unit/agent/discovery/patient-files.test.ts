import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { PatientFiles } from '../../../../src/agent/discovery/patient-files.ts';

const scratch = mkdtempSync(join(tmpdir(), 'vmn-files-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const path = (name: string): string => join(scratch, name);
const files = new PatientFiles();

test('a file is read, up to the bound', async () => {
  writeFileSync(path('file'), 'é text');
  expect(await files.read(path('file'), 7)).toBe('é text');
  expect(await files.read(path('file'), 6)).toBeNull();
  writeFileSync(path('empty'), '');
  expect(await files.read(path('empty'), 10)).toBe('');
});

test('nothing else is: links, pipes, devices, folders, nothing', async () => {
  symlinkSync(path('file'), path('link'));
  execFileSync('mkfifo', [path('pipe')]);
  for (const name of ['link', 'pipe', '', 'nothing']) expect(await files.read(path(name), 10)).toBeNull();
  expect(await files.read('/dev/zero', 10)).toBeNull();
});

test('a socket is told from a link to one', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path('socket'), resolve));
  symlinkSync(path('socket'), path('to-socket'));
  expect(await files.isSocket(path('socket'))).toBe(true);
  for (const name of ['to-socket', 'file', 'nothing']) expect(await files.isSocket(path(name))).toBe(false);
  server.close();
});

test('what does not come back is left, and after two nothing is looked at until one does', async () => {
  const impatient = new PatientFiles(1);
  const comeBack: (() => void)[] = [];
  const never = (): Promise<string> => new Promise((resolve) => comeBack.push(() => resolve('late')));
  expect(await impatient.within(never)).toBeNull();
  expect(await impatient.within(() => Promise.resolve('in time'))).toBe('in time');
  expect(await impatient.within(never)).toBeNull();
  expect(await impatient.within(() => Promise.resolve('in time'))).toBeNull();
  expect(comeBack).toHaveLength(2);
  comeBack[0]?.();
  await new Promise(setImmediate);
  expect(await impatient.within(() => Promise.resolve('in time'))).toBe('in time');
  expect(await impatient.within(() => Promise.reject(new Error('no')))).toBeNull();
});
