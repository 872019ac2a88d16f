/**
 * Two agents on one machine: whoever comes second changes nothing, whatever its folders are, and says whose host it is; and whoever
 * waits for the first to end goes on from there. All of it in the midst of traffic, on a tap of ours and on one that others made.
 */
import { closeSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { AgentHome, attachmentOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PacedFlood, type Stream } from '../support/stage/paced-flood.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { vmnetctl } from '../unit/cli/vmnetctl.ts';

const { a, b, x } = RentalLab;
const UUID = '9f7d1c5e-40c1-4a6e-8f0e-2f6f6f1d7a10';
const MAC = '52:54:00:cc:00:91';
const RATE = 250;
const PORTS = { own: 41_101, ownForbidden: 41_102, found: 41_103, foundForbidden: 41_104 };
const FLAGS = ['--managed-interfaces', 'two*'];
const AT_ONCE = ['--takeover-seconds', '0'];
/** On the line of whoever waits, as JSON has it. */
const WAITS = 'waiting for another agent to end';

describe('a second agent', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let guest: FoundVm;
  let ownFd: number;
  let streams: readonly Stream[];
  let counters: PortCounter[] = [];

  beforeAll(async () => {
    rental = await RentalLab.open('two');
    await makeTap(rental.host, 'two0');
    guest = FoundVm.start(rental.host, 'two-found', [{ tap: 'two0', mac: MAC }], ['-uuid', UUID]);
    apply(rental.home, { name: 'two-own', endpoint: a });
    apply(rental.home, { name: 'two-found', endpoint: b });
    agent = rental.home.start(FLAGS);
    const status = await agent.until('both enforced', bothEnforced);
    const cast = castOf(status, 'two-own', a);
    ownFd = onHost(() => openTap(cast.tap));
    const address = on(status, 'two0')?.guestAddress ?? '';
    const own = (to: typeof a, sourcePort: number): Uint8Array =>
      fromGuest(cast, { ip: { destination: to.address }, udp: { destinationPort: to.port, sourcePort } });
    const found = (to: typeof a, port: number): Uint8Array => guest.datagram(address, to, port);
    streams = [
      { fd: ownFd, frames: [own(a, PORTS.own)], rate: RATE },
      { fd: guest.fd(), frames: [found(b, PORTS.found)], rate: RATE },
      { fd: ownFd, frames: [own(x, PORTS.ownForbidden), own(b, PORTS.ownForbidden)], rate: RATE },
      { fd: guest.fd(), frames: [x, a].map((to) => found(to, PORTS.foundForbidden)), rate: RATE },
    ];
    const ends = [rental.consumerA, rental.consumerB, rental.internet];
    counters = await Promise.all(ends.map((end) => PortCounter.place(end, 'eth0', PORTS)));
  }, 60_000);
  afterAll(async () => {
    await guest?.kill();
    if (ownFd !== undefined) closeSync(ownFd);
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 60_000);

  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const on = (status: AgentStatus, tap: string): AttachmentStatus | undefined =>
    status.attachments.find((one) => one.tap === tap);
  const both = (status: AgentStatus) => [attachmentOf(status, 'two-own'), on(status, 'two0')];
  const bothEnforced = (status: AgentStatus): boolean =>
    both(status).every((one) => one?.state === 'Enforced');

  /** Frames of each kind that arrived where they may, and how many arrived anywhere else. */
  const arrived = async () => {
    const [atA, atB, atX] = await Promise.all(counters.map((one) => one.seen()));
    const packets = (seen: typeof atA, kind: string): number => seen?.[kind]?.packets ?? 0;
    const all = packets(atA, 'all') + packets(atB, 'all') + packets(atX, 'all');
    const [own, found] = [packets(atA, 'own'), packets(atB, 'found')];
    return { own, found, elsewhere: all - own - found };
  };
  /** What was lost of the frames that may pass, and what leaked, while something was done. */
  const during = async (work: () => Promise<void>) => {
    const start = await arrived();
    const flood = await PacedFlood.start(streams);
    const written = (stream: number): number => flood.written(stream);
    try {
      await poll('some traffic', () => [0, 1, 2, 3].every((stream) => written(stream) > 50));
      await work();
      const sofar = written(0);
      await poll('more traffic', () => written(0) > sofar + 50);
    } finally {
      await flood.stop();
    }
    const due = { own: start.own + written(0), found: start.found + written(1) };
    const isThere = async (): Promise<boolean> => {
      const now = await arrived();
      return now.own >= due.own && now.found >= due.found;
    };
    await poll('the last of it', isThere, { deadlineMs: 3000 }).catch(() => null);
    const end = await arrived();
    return { lost: [due.own - end.own, due.found - end.found], leaked: end.elsewhere - start.elsewhere };
  };
  const NOTHING = { lost: [0, 0], leaked: 0 };

  /** What two agents would fight over. */
  const inKernel = async () => {
    const status = (await agent.status())!;
    const settings = ['uplink', 'two0'].map((name) => `net.ipv4.conf.${name}.forwarding`);
    return {
      filters: both(status).map((one) =>
        onHost(() => readBack(join(rental.home.bpffs, one?.pins ?? 'none'))),
      ),
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
    const seen = await during(async () => {
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
      const links = (status: AgentStatus) => both(status).map((one) => one?.enforced?.linkId);
      const before = links((await agent.status())!);
      const seen = await during(async () => {
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
