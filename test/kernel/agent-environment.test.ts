import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBack } from '../../src/native/filter-engine.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { poll, runCommand } from '../support/lab/index.ts';
import type { CommandResult, Namespace } from '../support/lab/index.ts';
import { executable, optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { attachmentOf, enforces, type AgentHome, type AgentProcess } from '../support/stage/agent-process.ts';
import { bareTaps } from '../support/stage/bare-taps.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const AGENT = fileURLToPath(new URL('../../bin/vmnet-agent', import.meta.url));
const { a, b } = RentalLab;

/*
 * Machines that lack something. Each lack is made for the agent alone: capabilities are dropped, files hidden in a mount
 * namespace of its own. A VM that was enforced before stays as it is; the agent says what is missing and what to do.
 */
requires(...['setpriv', 'unshare', 'prlimit'].map(executable)).describe('an agent that lacks', () => {
  let rental: RentalLab;
  let before: ReturnType<typeof readBack>;
  let running: AgentProcess | null = null;

  const inKernel = (): ReturnType<typeof readBack> => {
    const leave = moveInto(rental.host);
    try {
      return readBack(join(rental.home.bpffs, identityOf('one').tap));
    } finally {
      leave();
    }
  };

  beforeAll(async () => {
    rental = await RentalLab.open('lack');
    apply(rental.home, { name: 'one', endpoint: a });
    const agent = rental.home.start();
    await agent.until('enforcement', (seen) => enforces(seen, 'one', 'one', a));
    await agent.end('SIGTERM');
    before = inKernel();
  }, 45_000);
  afterAll(async () => {
    await rental?.close();
  }, 30_000);

  /** Starts the agent by way of another command and waits for its end. */
  const started = (...wrapper: readonly string[]): Promise<CommandResult> =>
    rental.host.exec([...wrapper, AGENT, ...rental.home.flags]);
  /** With something hidden from it; it goes on running while `body` looks. */
  async function hidden(mount: string, body: (agent: AgentProcess) => Promise<void>): Promise<void> {
    const wrapper = ['unshare', '--mount', 'sh', '-c', `${mount}; exec "$@"`, 'sh'];
    const spawn: Namespace['spawn'] = (argv, options) => rental.host.spawn([...wrapper, ...argv], options);
    const home = Object.create(rental.home, { host: { value: { spawn } } }) as AgentHome;
    const agent = home.start();
    try {
      await body(agent);
    } finally {
      await agent.end('SIGTERM');
    }
  }
  function expectRefusal({ code, stderr }: CommandResult, error: string, remedy: RegExp): void {
    expect(stderr).toContain(`[${error}]`);
    expect(stderr).toMatch(remedy);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(3);
    expect(inKernel()).toEqual(before);
  }

  afterEach(() => running?.end('SIGKILL'));
  /** Of the VM that was to come nothing is there that could let a frame pass. */
  function expectNothingOpen(): void {
    const leave = moveInto(rental.host);
    try {
      expect(bareTaps(rental.home.bpffs)).toEqual([]);
      expect(linkByName(identityOf('scarce').tap)?.up ?? false).toBe(false);
    } finally {
      leave();
    }
  }
  async function endOfScarce(agent: AgentProcess): Promise<void> {
    withdraw(rental.home, 'scarce');
    await agent.until('its end', ({ attachments }) => attachments.every(({ vm }) => vm !== 'scarce'));
    await agent.end('SIGTERM');
  }

  test('[ER-2] root', async () => {
    const result = await started('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups');
    expectRefusal(result, 'VMN_NOT_ROOT', /as root/);
  });

  test('[ER-2] CAP_BPF and CAP_SYS_ADMIN', async () => {
    const caps = '-bpf,-sys_admin';
    const result = await started('setpriv', `--bounding-set=${caps}`, `--inh-caps=${caps}`);
    expectRefusal(result, 'VMN_CAPABILITY', /CAP_BPF|root/);
  });

  test('[ER-2] CAP_NET_ADMIN', async () => {
    const caps = '-net_admin,-sys_admin';
    const result = await started('setpriv', `--bounding-set=${caps}`, `--inh-caps=${caps}`);
    expectRefusal(result, 'VMN_CAPABILITY', /CAP_NET_ADMIN|root/);
  });

  test('[ER-2] a BPF file system, in a mount namespace where one would die with it', async () => {
    // As often as it was mounted.
    const hide = 'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"';
    expectRefusal(await started('unshare', '--mount', 'sh', '-c', hide, 'sh'), 'VMN_BPFFS_PRIVATE', /mount/);
  });

  test('a folder to write its records to', async () => {
    const hide = `mkdir -p ${rental.home.stateDir}; mount -t tmpfs -o ro none ${rental.home.stateDir}; exec "$@"`;
    expectRefusal(
      await started('unshare', '--mount', 'sh', '-c', hide, 'sh'),
      'VMN_STATE_UNREADABLE',
      /written to/,
    );
  });

  test('/dev/net/tun: the VM that has a tap stays enforced, a new one is denied', async () => {
    await hidden('mount -t tmpfs none /dev/net', async (agent) => {
      apply(rental.home, { name: 'two', endpoint: b });
      const status = await agent.until('the problem', ({ problems }) => problems.length > 0);
      expect(status.problems).toEqual([
        expect.objectContaining({
          file: 'VM two',
          code: 'VMN_TUN_MISSING',
          remedy: expect.stringContaining('modprobe'),
        }),
      ]);
      expect(attachmentOf(status, 'two')).toMatchObject({ state: 'Error', ifindex: 0 });
      expect(enforces(status, 'one', 'one', a)).toBe(true);
      expect(inKernel()).toEqual(before);
      withdraw(rental.home, 'two');
      await agent.until(
        'calm',
        ({ problems, attachments }) => problems.length === 0 && attachments.length === 1,
      );
    });
  }, 30_000);

  test('nft: what is in force stays but counts as enforced no more, what is new is denied and its tap stays down', async () => {
    await hidden('mount --bind /dev/null /usr/sbin/nft', async (agent) => {
      apply(rental.home, { name: 'two', endpoint: b });
      const status = await agent.until('the denial', (seen) => attachmentOf(seen, 'two')?.state === 'Error');
      const problems = status.problems.map(({ file, code }) => `${file}: ${code}`).sort();
      expect(problems).toEqual(['VM one: VMN_NFT_FAILED', 'VM two: VMN_NFT_FAILED', 'host: VMN_NFT_MISSING']);
      expect(enforces(status, 'one', 'one', a)).toBe(false);
      expect(attachmentOf(status, 'one')?.message).toContain(`only ${a.address}:${a.port} passes`);
      expect(inKernel()).toEqual(before);
      const link = await rental.host.run(['ip', '-br', 'link', 'show', identityOf('two').tap]);
      expect(link).not.toContain('UP');
    });
  }, 30_000);

  test('[ER-2] file descriptors: what it cannot do it names with the remedy, one VM goes on, and the new one comes once there are some', async () => {
    const agent = rental.home.start();
    running = agent;
    await agent.until('enforcement', (seen) => enforces(seen, 'one', 'one', a));
    const asItWas = inKernel();
    const limit = (files: number): Promise<string> =>
      rental.host.run(['prlimit', '--pid', String(agent.pid), `--nofile=${String(files)}:`]);
    const logged = agent.log.length;
    // As many as it has open from its start on: what is open stays so, nothing can be opened any more.
    await limit(10);
    apply(rental.home, { name: 'scarce', endpoint: b });
    await poll('the remedy', () => agent.log.slice(logged).includes('LimitNOFILE'), {
      deadlineMs: 30_000,
      detail: () => agent.log,
    });
    expect(agent.running).toBe(true);
    expect(inKernel()).toEqual(asItWas);
    expectNothingOpen();
    await limit(1024);
    await agent.until(
      'both',
      (seen) => enforces(seen, 'one', 'one', a) && enforces(seen, 'scarce', 'scarce', b),
      45_000,
    );
    expect(inKernel()).toEqual(asItWas);
    await endOfScarce(agent);
  }, 90_000);

  requires(optional(executable('strace'))).test(
    '[ER-2] memory for maps: what it cannot do it names with the remedy, one VM goes on, and the new one comes once there is some',
    async () => {
      const agent = rental.home.start();
      running = agent;
      await agent.until('enforcement', (seen) => enforces(seen, 'one', 'one', a));
      const asItWas = inKernel();
      // A memory cgroup that is full does not only refuse maps: it stops the process at any page of its own, or ends it. So the
      // kernel's answer is put in its place, on the agent that runs.
      const words = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=bpf', '-e', 'inject=bpf:error=ENOMEM'];
      const strace = rental.host.spawn(['strace', ...words, '-p', String(agent.pid)], { stdio: 'ignore' });
      try {
        await poll('strace', () =>
          /TracerPid:\s*[1-9]/.test(readFileSync(`/proc/${String(agent.pid)}/status`, 'utf8')),
        );
        apply(rental.home, { name: 'scarce', endpoint: b });
        const status = await agent.until(
          'the problem',
          ({ problems }) => problems.some(({ remedy }) => remedy.includes('MemoryMax=')),
          30_000,
        );
        expect(attachmentOf(status, 'scarce')?.state).not.toBe('Enforced');
        expect(inKernel()).toEqual(asItWas);
        expectNothingOpen();
      } finally {
        strace.kill('SIGINT');
        await poll('the end of strace', () => strace.exitCode !== null || strace.signalCode !== null);
      }
      await agent.until(
        'both',
        (seen) => enforces(seen, 'one', 'one', a) && enforces(seen, 'scarce', 'scarce', b),
        45_000,
      );
      expect(inKernel()).toEqual(asItWas);
      await endOfScarce(agent);
    },
    90_000,
  );

  test('a manifests folder: it waits for one, and denies meanwhile', async () => {
    withdraw(rental.home, 'two');
    const agent = rental.home.start(['--manifests', join(rental.lab.scratch, 'later')]);
    const status = await agent.until('the problem', ({ problems }) => problems.length > 0);
    expect(status.problems).toEqual([expect.objectContaining({ code: 'VMN_FOLDER_UNREADABLE' })]);
    expect(inKernel().policyState).toBe('empty');
    await agent.end('SIGTERM');
    expect(existsSync(join(rental.home.runDir, 'agent.sock'))).toBe(false);
  }, 30_000);

  test('an argument: usage, exit code 2, nothing made', async () => {
    const run = join(rental.lab.scratch, 'untouched');
    const { code, stderr } = await runCommand([AGENT, '--run-dir', run]);
    expect([code, existsSync(run)]).toEqual([2, false]);
    expect(stderr).toContain('--manifests');
  });

  test('nothing any more: exit code 0 on SIGTERM, and no file is left', async () => {
    rmSync(join(rental.home.manifests, 'one.yaml'));
    const child = rental.host.spawn([AGENT, ...rental.home.flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let log = '';
    let isTold = false; // once: a second would find it on its way out
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (!isTold && log.includes('guard removed')) isTold = child.kill('SIGTERM');
    });
    expect(await ended).toEqual([0, null]);
    expect(readdirSync(rental.home.runDir)).toEqual([]);
    expect(readdirSync(rental.home.stateDir)).toEqual([]);
    expect(existsSync(rental.home.bpffs)).toBe(false);
  }, 30_000);
});
