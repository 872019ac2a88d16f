import { type ChildProcess } from 'node:child_process';
import { chmodSync, closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { acquireLock } from '../../src/agent/host/lock.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { stateLockOf } from '../../src/agent/wiring/paths.ts';
import { openTap } from '../../src/native/tap.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { poll } from '../support/lab/index.ts';
import { type AgentProcess, enforces } from '../support/stage/agent-process.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { type Outcome, ROOT, vmnetctl } from '../unit/cli/vmnetctl.ts';

/** Says what it was given, then waits to be ended by a signal, or ends with the code that it is told. */
const FAKE_QEMU = `#!/bin/bash
trap 'echo got INT; exit 21' INT
trap 'echo got TERM; exit 22' TERM
trap 'echo got HUP; exit 23' HUP
for word in "$@"; do echo "word $word"; done
for fd in /proc/$$/fd/*; do echo "fd \${fd##*/} $(readlink $fd)"; done
[ "$1" = exit ] && exit "$2"
[ "$1" = kill ] && kill -KILL $$
echo waiting
while :; do sleep 0.05; done
`;

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
  ended(): Promise<Outcome>;
}

const { describe } = requires(root, executable('qemu-system-x86_64'), executable('nft'));

describe('vmnetctl run on a real kernel', () => {
  let rental: RentalLab;
  let qemu: string;
  let files: string[];
  const vm = 'guest';
  const { tap, guestMac } = identityOf(vm);

  beforeAll(async () => {
    rental = await RentalLab.open('clirun');
    qemu = join(rental.lab.scratch, 'fake-qemu');
    writeFileSync(qemu, FAKE_QEMU);
    chmodSync(qemu, 0o755);
    apply(rental.home, { name: vm, endpoint: RentalLab.a });
    files = ['-f', join(rental.home.manifests, `${vm}.yaml`)];
  }, 60_000);
  afterAll(async () => {
    await rental?.close();
  }, 30_000);

  const paths = (): string[] => {
    const { stateDir, runDir, bpffs } = rental.home;
    return ['--state-dir', stateDir, '--run-dir', runDir, '--bpffs', bpffs];
  };
  const ctl = (...args: string[]): Promise<Outcome> => vmnetctl(args, { prefix: rental.host.enter([]) });
  const run = (...command: string[]): Promise<Outcome> => ctl('run', ...paths(), ...files, '--', ...command);

  function start(...command: string[]): Running {
    const words = [process.execPath, 'src/cli/main.ts', 'run', ...paths(), ...files, '--', ...command];
    const child = rental.host.spawn(words, { cwd: ROOT, stdio: 'pipe' });
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = new Promise<Outcome>((resolve) => {
      child.once('close', (code) => {
        resolve({ code, stdout, stderr });
      });
    });
    return { child, said: () => stdout + stderr, ended: () => closed };
  }

  const link = async (): Promise<string> =>
    (await rental.host.exec(['ip', '-d', 'link', 'show', tap])).stdout;

  test('whatever is refused leaves nothing behind', async () => {
    expect(await run('qemu-system-nonsense')).toMatchObject({ code: 3 });
    expect(await run(qemu, '-nic', 'user')).toMatchObject({ code: 2 });
    expect(await run(qemu, '{{nonsense}}')).toMatchObject({ code: 2 });
    expect(await link()).toBe('');
    expect(existsSync(rental.home.stateDir)).toBe(false);
    expect(existsSync(rental.home.bpffs)).toBe(false);
  });

  test('an interface of that name that is not ours is not touched', async () => {
    await rental.host.run(['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap']);
    const before = await link();
    const outcome = await run(qemu, 'exit', '0');
    expect(outcome).toMatchObject({ code: 3, stdout: '' });
    expect(outcome.stderr).toContain('[VMN_TAP_NOT_OURS]');
    expect(await link()).toBe(before);
    await rental.host.run(['ip', 'link', 'del', tap]);
  });

  test('without an agent QEMU runs on a tap that is closed, and the exit code is its own', async () => {
    const { code, stdout, stderr } = await run(
      qemu,
      'exit',
      '17',
      'a={{address}} {{gateway}} {{mac}} {{tap}} {{endpoint}}',
    );
    expect(code).toBe(17);
    const address = /word a=(100\.64\.\d+\.\d+) /.exec(stdout)?.[1] ?? 'no address';
    expect(stdout.split('\n').filter((line) => line.startsWith('word '))).toEqual([
      'word exit',
      'word 17',
      `word a=${address} 169.254.1.1 ${guestMac} ${tap} 203.0.113.10:51900`,
      'word -name',
      'word guest=guest',
      'word -netdev',
      `word tap,id=vmn0,ifname=${tap},script=no,downscript=no,vhost=off`,
      'word -device',
      `word virtio-net-pci,netdev=vmn0,mac=${guestMac}`,
      'word -drive',
      `word if=virtio,format=raw,readonly=on,file=${join(rental.home.runDir, 'seeds', `${tap}.iso`)}`,
    ]);
    expect(stderr).toBe(
      `vmnetctl: ${tap} ${address} closed: no agent is running; start vmnet-agent --manifests ${rental.home.manifests}\n`,
    );
    expect(await link()).toContain('tun type tap');
    const status = await ctl('status', ...paths(), '-o', 'json');
    expect(JSON.parse(status.stdout)).toMatchObject({
      attachments: [{ vm, tap, state: 'Denied', inUse: false }],
    });
  });

  test('QEMU gets standard input and outputs and nothing else of ours', async () => {
    const { stdout } = await run(qemu, 'exit', '0');
    const open = stdout.split('\n').flatMap((line) => {
      const [word, number, path = ''] = line.split(' ');
      return word === 'fd' ? [{ number: Number(number), path }] : [];
    });
    expect(open.filter(({ number }) => number <= 2)).toHaveLength(3);
    for (const { number, path } of open) {
      if (number > 2) expect(path).not.toMatch(/bpf|tun|anon_inode|socket|state|lock|vmnet/);
    }
  });

  test.each([
    ['SIGINT', 21],
    ['SIGTERM', 22],
    ['SIGHUP', 23],
  ] as const)('%s is passed on', async (signal, code) => {
    const running = start(qemu);
    await poll('QEMU', () => running.said().includes('waiting'), { detail: () => running.said() });
    running.child.kill(signal);
    const outcome = await running.ended();
    expect(outcome.stdout).toContain(`got ${signal.slice(3)}`);
    expect(outcome.code).toBe(code);
  });

  test('a QEMU that is killed is reported as shells do', async () => {
    expect(await run(qemu, 'kill')).toMatchObject({ code: 128 + 9 });
  });

  test('nobody reading what we say does not keep QEMU from running', async () => {
    const running = start(qemu, 'exit', '17');
    running.child.stderr?.destroy();
    expect(await running.ended()).toMatchObject({ code: 17 });
  });

  test('the real QEMU: holds the tap, a second run is refused, the tap stays closed', async () => {
    const running = start('qemu-system-x86_64', '-S', '-nodefaults', '-display', 'none', '-monitor', 'stdio');
    const look = async (): Promise<{ attachments: { inUse: boolean; state: string }[] }> =>
      JSON.parse((await ctl('status', ...paths(), '-o', 'json')).stdout) as never;
    await poll('the tap in use', async () => (await look()).attachments[0]?.inUse, {
      detail: running.said,
      deadlineMs: 30_000,
    });
    expect(await look()).toMatchObject({ attachments: [{ state: 'Denied', inUse: true }] });
    const second = await run(qemu, 'exit', '0');
    expect(second).toMatchObject({ code: 3, stdout: '' });
    expect(second.stderr).toContain('[VMN_TAP_IN_USE]');
    running.child.stdin?.end('quit\n');
    expect(await running.ended()).toMatchObject({ code: 0 });
  }, 60_000);

  test('an agent that is making the tap, and so holds it, is waited for', async () => {
    const lock = acquireLock(stateLockOf(rental.home), { wait: true });
    const leave = moveInto(rental.host);
    let running: Running;
    try {
      const fd = openTap(tap);
      try {
        running = start(qemu, 'exit', '17');
        const isWaiting = (): boolean =>
          readFileSync('/proc/locks', 'utf8')
            .split('\n')
            .some((line) => line.includes('->') && line.includes(` ${String(running.child.pid)} `));
        await poll('it to wait for the state lock', isWaiting, { detail: running.said });
      } finally {
        closeSync(fd);
      }
    } finally {
      leave();
      lock.release();
    }
    expect(await running.ended()).toMatchObject({ code: 17 });
  });

  describe('with an agent', () => {
    let agent: AgentProcess;
    beforeAll(async () => {
      agent = rental.home.start();
      await agent.until('enforcement', (status) => enforces(status, vm, vm, RentalLab.a));
    }, 30_000);
    afterAll(async () => {
      await agent?.end('SIGKILL');
    }, 30_000);

    test('waits until the policy is enforced, and says so', async () => {
      const { code, stderr } = await run(qemu, 'exit', '0');
      expect(code).toBe(0);
      expect(stderr).toMatch(
        new RegExp(`^vmnetctl: ${tap} 100\\.64\\.\\d+\\.\\d+ → 203\\.0\\.113\\.10:51900 Enforced\n$`),
      );
    });

    test('a manifest that the agent does not have: runs closed, and says why', async () => {
      withdraw(rental.home, vm);
      const elsewhere = join(rental.lab.scratch, 'elsewhere.yaml');
      writeFileSync(
        elsewhere,
        `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetwork
metadata: {name: other, namespace: tenant}
spec: {consumerEndpoint: {address: 203.0.113.10, port: 51900}, selector: {names: [other]}}
`,
      );
      const words = ['run', ...paths(), '-f', elsewhere, '--wait-enforced', '0.5', '--', qemu, 'exit', '0'];
      const { code, stderr } = await ctl(...words);
      expect(code).toBe(0);
      expect(stderr).toContain(
        `closed: no VMNetwork in ${rental.home.manifests} selects VM other; put the manifest there`,
      );
    });
  });
});
