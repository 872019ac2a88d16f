import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { poll } from '../../support/lab/index.ts';
import { projectRoot } from './source-files.ts';

/** A machine of our choice: its Go does what a test says, its cache is empty. */
let machine: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), 'vmnetwork-assets-'));
  for (const folder of ['bin', 'cache', 'given']) mkdirSync(join(machine, folder));
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(machine, { recursive: true, force: true });
});

function program(folder: string, name: string, script: string): void {
  writeFileSync(join(machine, folder, name), `#!/bin/bash\n${script}\n`);
  chmodSync(join(machine, folder, name), 0o755);
}

/** `build` is what it does instead of compiling; $output is the file to be made. */
function goThat(build: string, version = 'go1.99.0'): void {
  program(
    'bin',
    'go',
    `case $1 in
     env) echo ${version} ;;
     list) echo one; echo two ;;
     build)
       while [ "$1" != -o ]; do shift; done; output=$2
       echo build >> ${machine}/builds
       ${build} ;;
     esac`,
  );
}

const builds = (): number =>
  existsSync(join(machine, 'builds'))
    ? readFileSync(join(machine, 'builds'), 'utf8').trim().split('\n').length
    : 0;

/** All that was built, by path below the cache. */
function cached(): string[] {
  return readdirSync(join(machine, 'cache'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.lock')
    .map((entry) => entry.name);
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, path?: string): ChildProcess {
  const child = spawn(process.execPath, [join(projectRoot, 'scripts', 'kube-assets.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: path ?? [join(machine, 'bin'), process.env['PATH']].join(delimiter),
      VMN_KUBE_ASSETS_CACHE: join(machine, 'cache'),
      ...env,
    },
  });
  running.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

describe('scripts/kube-assets.ts', () => {
  test('builds what is missing, once, and says where it is', async () => {
    goThat('echo real > $output; chmod +x $output');
    const first = await ended(start(['etcd']));
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^etcd \S+\/etcd\n$/);
    expect(first.stderr).toMatch(/etcd v\d\S+ built in \d+ s/);
    const second = await ended(start(['etcd']));
    expect([second.stdout, second.stderr]).toEqual([first.stdout, '']);
    expect(builds()).toBe(1);
  });

  test('two at once: one builds, the other waits and finds it', async () => {
    goThat(`until [ -e ${machine}/go-on ]; do sleep 0.02; done; echo real > $output; chmod +x $output`);
    const both = [start(['etcd']), start(['etcd'])].map(ended);
    await poll('a build to begin', () => builds() > 0);
    writeFileSync(join(machine, 'go-on'), '');
    const [one, other] = await Promise.all(both);
    expect([one?.code, other?.code, builds()]).toEqual([0, 0, 1]);
    expect(one?.stdout).toBe(other?.stdout);
  });

  test('killed in the middle, it leaves nothing that looks whole and no lock', async () => {
    goThat(`echo half > $output; echo $$ > ${machine}/pid; exec sleep 600`);
    const killed = start(['etcd']);
    await poll('half a build', () => existsSync(join(machine, 'pid')));
    const pid = Number(readFileSync(join(machine, 'pid'), 'utf8'));
    const end = once(killed, 'exit');
    killed.kill('SIGKILL');
    await end;
    await poll('the compiler to end with it', () => !existsSync(`/proc/${String(pid)}`));
    expect(cached()).toEqual(['etcd.new']);
    goThat('echo real > $output; chmod +x $output');
    expect((await ended(start(['etcd']))).code).toBe(0);
    expect(cached()).toEqual(['etcd']);
  });

  test('a build that fails says what Go said and what to do, and leaves nothing', async () => {
    goThat('echo half > $output; echo "dial tcp: no route to proxy" >&2; exit 1');
    const { code, stderr } = await ended(start(['etcd']));
    expect(code).toBe(2);
    expect(stderr).toContain('no route to proxy');
    expect(stderr).toContain('KUBEBUILDER_ASSETS');
    expect(cached()).toEqual([]);
  });

  test('without Go, or with one that is too old, it says what to do', async () => {
    symlinkSync('/bin/sh', join(machine, 'bin', 'sh'));
    const none = await ended(start(['etcd'], {}, join(machine, 'bin')));
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/needs Go >= 1\.\d+.*install Go/)]);
    goThat('exit 1', 'go1.19.8');
    const old = await ended(start(['etcd']));
    expect([old.code, old.stderr]).toEqual([
      2,
      expect.stringMatching(/needs Go >= 1\.\d+, and this is go1\.19\.8/),
    ]);
    expect(builds()).toBe(0);
  });

  test('takes KUBEBUILDER_ASSETS as it is, and says what it lacks', async () => {
    goThat('exit 1');
    program('given', 'etcd', 'true');
    const env = { KUBEBUILDER_ASSETS: join(machine, 'given') };
    expect(await ended(start(['etcd'], env))).toMatchObject({
      code: 0,
      stdout: `etcd ${join(machine, 'given', 'etcd')}\n`,
    });
    const lacking = await ended(start(['kube-apiserver'], env));
    expect([lacking.code, lacking.stderr]).toEqual([
      2,
      expect.stringContaining('has no program kube-apiserver'),
    ]);
    expect(builds()).toBe(0);
  });

  test('knows what it can build', async () => {
    const { code, stderr } = await ended(start(['minikube']));
    expect([code, stderr]).toEqual([2, expect.stringContaining('kube-apiserver')]);
  });
});
