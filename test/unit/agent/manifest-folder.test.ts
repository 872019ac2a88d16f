import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isManifestName, ManifestFolder } from '../../../src/agent/source/manifest-folder.ts';
import type { ManifestSet } from '../../../src/agent/source/manifest-set.ts';
import { poll } from '../../support/lab/poll.ts';

const MANIFEST = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetwork
metadata: {name: one, namespace: t}
spec:
  consumerEndpoint: {address: 203.0.113.10, port: 51900}
  selector: {names: [vm]}
`;
const CLASS = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkClass
metadata: {name: default}
spec: {deniedPorts: [53]}
`;

describe('the manifests folder', () => {
  let root: string;
  let dir: string;
  let folder: ManifestFolder;
  let changes: number;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'vmn-manifests-'));
    dir = join(root, 'manifests');
    mkdirSync(dir);
    changes = 0;
    folder = new ManifestFolder({ dir, onChange: () => (changes += 1), debounceMs: 5, rescanMs: 3_600_000 });
  });
  afterEach(() => {
    folder.close();
    rmSync(root, { recursive: true });
  });

  const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  const until = (what: string, holds: (set: ManifestSet) => boolean): Promise<true> =>
    poll(what, () => holds(folder.current()));
  const endpointPort = (set: ManifestSet): number | undefined =>
    set.networks[0]?.network.spec.consumerEndpoint?.port;
  const codes = (set: ManifestSet): string[] => set.problems.map(({ code }) => code);

  test.each([
    ['a.yaml', true],
    ['a.yml', true],
    ['a.json', true],
    ['.a.yaml', false],
    ['a.yaml~', false],
    ['a.yaml.swp', false],
    ['yaml', false],
  ])('%s is read: %s', (name, read) => {
    expect(isManifestName(name)).toBe(read);
  });

  test('is read at the start, whole', () => {
    write('one.yaml', MANIFEST);
    write('class.yml', CLASS);
    write('README.txt', 'nothing');
    folder.start();
    const set = folder.current();
    expect(set).toMatchObject({ complete: true, problems: [], classesInDoubt: false });
    expect(set.networks.map(({ file, network }) => [file, network.metadata.name])).toEqual([
      ['one.yaml', 'one'],
    ]);
    expect(set.classes.map(({ metadata }) => metadata.name)).toEqual(['default']);
    expect(changes).toBe(1);
  });

  test('follows what is made, edited, replaced and removed', async () => {
    folder.start();
    write('one.yaml', MANIFEST);
    await until('made', (set) => endpointPort(set) === 51900);
    write('one.yaml', MANIFEST.replace('51900', '51901'));
    await until('edited', (set) => endpointPort(set) === 51901);
    write('.draft', MANIFEST.replace('51900', '51902'));
    renameSync(join(dir, '.draft'), join(dir, 'one.yaml'));
    await until('replaced', (set) => endpointPort(set) === 51902);
    unlinkSync(join(dir, 'one.yaml'));
    await until('removed', (set) => set.networks.length === 0 && set.complete);
  });

  test('tells nobody when nothing was said', async () => {
    write('one.yaml', MANIFEST);
    folder.start();
    write('one.yaml', MANIFEST);
    write('notes.txt', 'x');
    write('last.yaml', MANIFEST.replace('name: one', 'name: last'));
    await until('the last write', (set) => set.networks.length === 2);
    expect(changes).toBe(2);
  });

  test('a file of the same size, changed twice within a clock tick, is read both times', async () => {
    folder.start();
    for (let port = 51900; port < 51960; port += 1)
      write('one.yaml', MANIFEST.replace('51900', String(port)));
    await until('the last text', (set) => endpointPort(set) === 51959);
  });

  test('half a file is a problem and gives nothing; the other files count', async () => {
    write('one.yaml', MANIFEST);
    write('two.yaml', MANIFEST.replace('name: one', 'name: two').slice(0, 120));
    folder.start();
    expect(folder.current()).toMatchObject({
      complete: false,
      problems: [expect.objectContaining({ file: 'two.yaml' })],
    });
    expect(folder.current().networks.map(({ file }) => file)).toEqual(['one.yaml']);
    write('two.yaml', MANIFEST.replace('name: one', 'name: two'));
    await until('the rest', (set) => set.complete && set.networks.length === 2);
  });

  test('two documents with one name are both refused', () => {
    write('one.yaml', MANIFEST);
    write('two.yaml', `${MANIFEST}---\n${MANIFEST.replace('name: one', 'name: other')}`);
    folder.start();
    expect(codes(folder.current())).toEqual(['VMN_MANIFEST_DUPLICATE', 'VMN_MANIFEST_DUPLICATE']);
    expect(folder.current().networks.map(({ network }) => network.metadata.name)).toEqual(['other']);
  });

  test.each<[string, (path: string) => void, string]>([
    ['a folder', (path) => mkdirSync(path), 'VMN_MANIFEST_UNREADABLE'],
    ['a symbolic link', (path) => symlinkSync('/etc/passwd', path), 'VMN_MANIFEST_UNREADABLE'],
    ['a pipe, which would block', (path) => execFileSync('mkfifo', [path]), 'VMN_MANIFEST_UNREADABLE'],
    ['10 MB', (path) => writeFileSync(path, Buffer.alloc(10_000_000, '#')), 'VMN_MANIFEST_TOO_LARGE'],
    ['not UTF-8', (path) => writeFileSync(path, Buffer.from([0x61, 0xff, 0x0a])), 'VMN_MANIFEST_SYNTAX'],
    ['empty', (path) => writeFileSync(path, ''), 'VMN_MANIFEST_SYNTAX'],
  ])('a manifest that is %s is a problem with a remedy', (_what, make, code) => {
    make(join(dir, 'odd.yaml'));
    folder.start();
    expect(folder.current().problems).toEqual([expect.objectContaining({ file: 'odd.yaml', code })]);
    expect(folder.current().problems[0]?.remedy).not.toBe('');
    expect(folder.current().complete).toBe(false);
  });

  test('a missing folder is a problem; it is found when it appears, lost when it goes, found again', async () => {
    rmSync(dir, { recursive: true });
    folder.start();
    expect(codes(folder.current())).toEqual(['VMN_FOLDER_UNREADABLE']);
    for (let round = 0; round < 2; round += 1) {
      mkdirSync(dir);
      write('one.yaml', MANIFEST);
      await until('found', (set) => set.complete && set.networks.length === 1);
      write('one.yaml', MANIFEST.replace('51900', '7'));
      await until('watched', (set) => endpointPort(set) === 7);
      rmSync(dir, { recursive: true });
      await until('lost', (set) => codes(set)[0] === 'VMN_FOLDER_UNREADABLE');
      expect(folder.current()).toMatchObject({ networks: [], complete: false, classesInDoubt: true });
    }
  });

  test('another folder that takes its place is read and watched, at once', async () => {
    folder.start();
    const next = join(root, 'next');
    mkdirSync(next);
    writeFileSync(join(next, 'one.yaml'), MANIFEST);
    renameSync(dir, join(root, 'old'));
    renameSync(next, dir);
    await until('the other one', (set) => endpointPort(set) === 51900);
    write('one.yaml', MANIFEST.replace('51900', '7'));
    await until('watched', (set) => endpointPort(set) === 7);
  });

  test('one that changes all the time is read all the same', async () => {
    folder.start();
    write('one.yaml', MANIFEST);
    const noise = setInterval(() => write('.draft', 'x'), 1);
    try {
      await until('read', (set) => endpointPort(set) === 51900);
    } finally {
      clearInterval(noise);
    }
  });

  test('what nobody tells of is found by the slow look', async () => {
    folder = new ManifestFolder({ dir, onChange: () => (changes += 1), debounceMs: 5, rescanMs: 50 });
    write('one.yaml', MANIFEST);
    linkSync(join(dir, 'one.yaml'), join(root, 'other-name'));
    folder.start();
    writeFileSync(join(root, 'other-name'), MANIFEST.replace('51900', '7'));
    await until('found', (set) => endpointPort(set) === 7);
  });

  test('a class that becomes illegible is in doubt, until its file is good or gone', async () => {
    write('class.yaml', CLASS);
    folder.start();
    expect(folder.current().classesInDoubt).toBe(false);
    write('class.yaml', 'kind: {');
    await until('doubt', (set) => set.classesInDoubt);
    write('class.yaml', 'still: {');
    await until('still doubt', (set) => set.classesInDoubt && !set.complete);
    write('class.yaml', CLASS);
    await until('certainty', (set) => !set.classesInDoubt && set.classes.length === 1);
    write('class2.yaml', CLASS);
    await until('doubt about two', (set) => set.classesInDoubt && set.classes.length === 0);
  });

  test('a broken network leaves no class in doubt', () => {
    write('one.yaml', 'kind: VMNetwork\n');
    folder.start();
    expect(folder.current()).toMatchObject({ complete: false, classesInDoubt: false });
  });

  test('closed, it looks no more', async () => {
    folder.start();
    folder.close();
    write('one.yaml', MANIFEST);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(folder.current().networks).toEqual([]);
  });
});
