/**
 * Two agents on one machine: whoever comes second changes nothing, whatever its folders are, and says whose host it is; and whoever
 * waits for the first to end goes on from there. All of it in the midst of traffic, on a tap of ours and on one that others made.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus } from '../../src/agent/status/status.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { poll } from '../support/lab/index.ts';
import { AgentHome, type AgentProcess } from '../support/stage/agent-process.ts';
import { describe } from '../support/stage/needs.ts';
import { OwnAndFound } from '../support/stage/own-and-found.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { vmnetctl } from '../unit/cli/vmnetctl.ts';

const FLAGS = ['--managed-interfaces', 'two*'];
const AT_ONCE = ['--takeover-seconds', '0'];
/** On the line of whoever waits, as JSON has it. */
const WAITS = 'waiting for another agent to end';

describe('a second agent', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let vms: OwnAndFound;

  beforeAll(async () => {
    rental = await RentalLab.open('two');
    vms = await OwnAndFound.open(rental, 'two', 'two0');
    agent = rental.home.start(FLAGS);
    await vms.plug(await agent.until('both enforced', bothEnforced));
  }, 60_000);
  afterAll(async () => {
    await vms?.close();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const bothEnforced = (status: AgentStatus): boolean =>
    vms.both(status).every((one) => one?.state === 'Enforced');
  const NOTHING = { lost: [0, 0], leaked: 0 };

  /** What two agents would fight over. */
  const inKernel = async () => {
    const status = (await agent.status())!;
    const settings = ['uplink', 'two0'].map((name) => `net.ipv4.conf.${name}.forwarding`);
    return {
      filters: vms
        .both(status)
        .map((one) => vms.onHost(() => readBack(join(rental.home.bpffs, one?.pins ?? 'none')))),
      rules: await rental.host.run(['nft', 'list', 'ruleset']),
      settings: await rental.host.run(['sysctl', ...settings]),
      links: await rental.host.run(['ip', '-o', 'link']),
    };
  };
  /** As a second installation has them. */
  const otherHome = (name: string, host = rental.host, bpffs = `${rental.home.bpffs}-${name}`): AgentHome => {
    const folder = join(rental.lab.scratch, name);
    mkdirSync(folder);
    rental.lab.undoLater(`rm -rf ${bpffs}`);
    return new AgentHome(host, folder, bpffs);
  };
  const isGone = async (one: AgentProcess): Promise<void> => {
    await poll('its end', () => !one.running, { deadlineMs: 30_000, detail: () => one.log });
  };

  test('with folders of its own is refused, names the first and what to do, and changes nothing', async () => {
    const before = await inKernel();
    const home = otherHome('systemd');
    // Who mounts the BPF file system anew sees none of the pins of the first.
    const ownMount = otherHome('mounted');
    ownMount.wrapper = ['unshare', '--mount', 'sh', '-c', 'mount -t bpf none /sys/fs/bpf; exec "$@"', 'sh'];
    const seen = await vms.during(async () => {
      for (const each of [home, ownMount, rental.home]) {
        const second = each.start([...FLAGS, ...AT_ONCE]);
        await isGone(second);
        expect(second.exitCode).toBe(3);
        expect(second.log).toMatch(/cannot take this host \(network namespace net:\[\d+\]\)/);
        expect(second.log).toContain(
          `process ${String(agent.pid)} (state folder ${rental.home.stateDir}) [VMN_AGENT_RUNNING]`,
        );
        expect(second.log).toContain('What it enforces stays in force');
        expect(second.log).not.toContain('"change"');
      }
      const made = [home, ownMount].flatMap((each) => [each.stateDir, each.runDir, each.bpffs]);
      expect(made.filter((folder) => existsSync(folder))).toEqual([]);
    });
    expect(seen).toEqual(NOTHING);
    expect(await inKernel()).toEqual(before);
  }, 60_000);

  test('in another network namespace is refused the pins of the first', async () => {
    const before = await inKernel();
    const second = otherHome('elsewhere', rental.wan, rental.home.bpffs).start(AT_ONCE);
    await isGone(second);
    expect([second.exitCode, second.log]).toEqual([
      3,
      expect.stringContaining(`folder for pins ${rental.home.bpffs}`),
    ]);
    expect(second.log).toContain(`process ${String(agent.pid)} (`);
    expect(await inKernel()).toEqual(before);
  }, 30_000);

  test('doctor and status say whose host it is, and drain is refused, with other folders', async () => {
    const { paths } = otherHome('asked');
    const ctl = (...words: string[]) => vmnetctl([...words, ...paths], { prefix: rental.host.enter([]) });
    const { stdout } = await ctl('doctor', '-o', 'json');
    const { findings } = JSON.parse(stdout) as { findings: Record<string, unknown> };
    const whose = `process ${String(agent.pid)} (state folder ${rental.home.stateDir})`;
    const folders = `--run-dir ${rental.home.runDir}`;
    expect(findings['agent']).toMatchObject({
      found: 'no',
      detail: expect.stringContaining(`${whose} has this host`),
      remedy: expect.stringContaining(folders),
    });
    const status = await ctl('status');
    expect([status.code, status.stderr]).toEqual([
      3,
      expect.stringContaining(`${whose}; ask it by ${folders}`),
    ]);
    const drain = await ctl('drain');
    expect([drain.code, drain.stderr]).toEqual([3, expect.stringContaining('[VMN_AGENT_RUNNING]')]);
    expect(drain.stderr).toContain(whose);
  }, 60_000);

  test('that waits ends at once when it is told to', async () => {
    const second = rental.home.start([...FLAGS, '--takeover-seconds', '600']);
    await poll('its line', () => second.log.includes(WAITS), { deadlineMs: 30_000 });
    await second.end('SIGTERM');
    expect(second.exitCode).toBe(0);
    expect(bothEnforced((await agent.status())!)).toBe(true);
  }, 45_000);

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    '[contract 1] that waits takes over when the first ends by %s: no frame is lost, none leaks',
    async (signal) => {
      const links = (status: AgentStatus) => vms.both(status).map((one) => one?.enforced?.linkId);
      const before = links((await agent.status())!);
      const seen = await vms.during(async () => {
        const next = rental.home.start([...FLAGS, '--takeover-seconds', '600']);
        await poll('its line', () => next.log.includes(WAITS), { deadlineMs: 30_000 });
        expect(next.log).not.toContain('"started"');
        await agent.end(signal);
        agent = next;
        const status = await agent.until('both enforced', bothEnforced, 30_000);
        expect(links(status)).toEqual(before);
      });
      expect(seen).toEqual(NOTHING);
      expect(agent.log.split(WAITS).length).toBe(2);
    },
    60_000,
  );
});
