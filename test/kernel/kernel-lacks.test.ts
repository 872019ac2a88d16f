/**
 * A host whose kernel lacks what the filter needs: nothing of it can be shown to be closed there, so nothing is opened. The agent and
 * `vmnetctl run` refuse with what to do, `vmnetctl doctor` says the same, what comes new is denied, and what was enforced before stays.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closeSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest, CAST } from '../support/frames/cast.ts';
import type { CommandResult } from '../support/lab/index.ts';
import { executable, optional } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { enforces } from '../support/stage/agent-process.ts';
import { makeTap } from '../support/stage/found-vm.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const [AGENT, CTL] = ['vmnet-agent', 'vmnetctl'].map((name) =>
  fileURLToPath(new URL(`../../bin/${name}`, import.meta.url)),
) as [string, string];
const { a, b } = RentalLab;
const MANAGED = 'lack*';
/** Source ports of the VM that was there before, and of the one that comes new. */
const OLD = 43_101;
const NEW = 43_102;
/** The same on a tap that no pattern matches: it shows that the host does route for such a VM. */
const FREE = 43_103;

/** Exit code of a machine that lacks something. */
const LACKING = 3;

interface Lack {
  readonly title: string;
  readonly wrapper: readonly string[];
  /** What agent, `vmnetctl run` and doctor say is to be done. */
  readonly code: string;
  readonly remedy: RegExp;
  /** Rows of doctor that say that it is missing, among them. */
  readonly rows: readonly string[];
}

/** One line of doctor. */
interface Finding {
  readonly needed: boolean;
  readonly found: string;
  readonly remedy: string;
}

const tracing = (error: string): string[] => [
  ...['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=bpf', '-e', `inject=bpf:error=${error}`],
];
const without = (caps: string): string[] => ['setpriv', `--bounding-set=${caps}`, `--inh-caps=${caps}`];

const BY_HIDING: readonly Lack[] = [
  {
    title: 'a description of its own types (BTF)',
    wrapper: ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /sys/kernel/btf; exec "$@"', 'sh'],
    code: 'VMN_KERNEL_FEATURE',
    remedy: /\(BTF\) requires Linux >= \d+\.\d+ built with CONFIG_DEBUG_INFO_BTF; this is Linux \d/,
    rows: ['btf', 'filter'],
  },
  {
    title: 'the right to load programs (CAP_BPF, CAP_PERFMON)',
    wrapper: without('-bpf,-perfmon,-sys_admin'),
    code: 'VMN_CAPABILITY',
    remedy: /Run as root, or grant .*CAP_BPF/,
    rows: ['CAP_BPF', 'CAP_PERFMON'],
  },
];
const BY_TRACING: readonly Lack[] = [
  {
    title: 'years: it is too old',
    // What it says of its age, and what such a one answers.
    wrapper: ['setarch', '--uname-2.6', ...tracing('EINVAL')],
    code: 'VMN_KERNEL_FEATURE',
    remedy: /requires Linux >= \d+\.\d+ .*; this is Linux 2\.6/,
    rows: ['kernel', 'bpf', 'mapInMap', 'ringBuffer', 'filter'],
  },
];

const tools = ['unshare', 'setpriv'].map(executable);

requires(...tools).describe('on a host whose kernel lacks', () => {
  let rental: RentalLab;
  let cast: RealCast;
  let oldFd = -1;
  const newFds: { fd: number; sourcePort: number }[] = [];
  let before: ReturnType<typeof readBack>;
  let arrived: Record<'a' | 'b', PortCounter>;

  const onHost = <T>(work: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return work();
    } finally {
      leave();
    }
  };
  const inKernel = (): ReturnType<typeof readBack> =>
    onHost(() => readBack(join(rental.home.bpffs, identityOf('one').tap)));

  beforeAll(async () => {
    rental = await RentalLab.open('kernel');
    const ports = { old: OLD, new: NEW, free: FREE };
    arrived = {
      a: await PortCounter.place(rental.consumerA, 'eth0', ports),
      b: await PortCounter.place(rental.consumerB, 'eth0', ports),
    };
    apply(rental.home, { name: 'one', endpoint: a });
    const agent = rental.home.start(['--managed-interfaces', MANAGED]);
    cast = castOf(await agent.until('enforcement', (seen) => enforces(seen, 'one', 'one', a)), 'one', a);
    oldFd = onHost(() => openTap(cast.tap));
    await agent.end('SIGTERM');
    before = inKernel();
    // The guard stayed; this one comes after the agent.
    for (const [tap, sourcePort] of [
      ['lack0', NEW],
      ['free0', FREE],
    ] as const) {
      await makeTap(rental.host, tap);
      await rental.host.run(['ip', 'link', 'set', tap, 'address', CAST.gatewayMac]);
      await rental.host.sysctl(`net.ipv4.conf.${tap}.forwarding`, 1);
      newFds.push({ fd: onHost(() => openTap(tap)), sourcePort });
    }
    apply(rental.home, { name: 'two', endpoint: b });
  }, 60_000);
  afterAll(async () => {
    for (const fd of [oldFd, ...newFds.map((one) => one.fd)]) if (fd >= 0) closeSync(fd);
    await rental?.close();
  }, 30_000);

  const run = (wrapper: readonly string[], words: readonly string[]): Promise<CommandResult> =>
    rental.host.exec([...wrapper, ...words], { timeoutMs: 60_000 });
  const seen = async (): Promise<{ old: number; new: number; free: number }> => {
    const counts = [await arrived.a.seen(), await arrived.b.seen()];
    const of = (kind: string): number => counts.reduce((sum, one) => sum + (one[kind]?.packets ?? 0), 0);
    return { old: of('old'), new: of('new'), free: of('free') };
  };
  /** The VM of before to its endpoint, and the new one to both. */
  const send = (): void => {
    writeSync(oldFd, fromGuest(cast, { udp: { sourcePort: OLD } }));
    for (const { address: destination, port: destinationPort } of [a, b])
      for (const { fd, sourcePort } of newFds)
        writeSync(fd, fromGuest(CAST, { ip: { destination }, udp: { sourcePort, destinationPort } }));
  };

  /** All files of ours; that the new VM's address was chosen may be written down, which is no state of the kernel's. */
  const madeBy = (): string[] =>
    [rental.home.bpffs, rental.home.stateDir]
      .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      .filter((name) => name !== `attachments/${identityOf('two').tap}.json`)
      .sort();

  async function isRefused({ wrapper, code, remedy }: Lack, words: readonly string[]): Promise<void> {
    const { code: exit, stderr } = await run(wrapper, words);
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).toMatch(remedy);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(exit).toBe(LACKING);
  }

  async function denies(lack: Lack): Promise<void> {
    const { home } = rental;
    const sentBefore = await seen();
    const made = madeBy();
    await isRefused(lack, [AGENT, ...home.flags, '--managed-interfaces', MANAGED]);
    send();
    const file = join(home.manifests, 'two.yaml');
    await isRefused(lack, [CTL, 'run', ...home.paths, '-f', file, '--', '/bin/true']);
    send();
    // Nothing half made: no tap, no pins.
    expect(onHost(() => linkByName(identityOf('two').tap))).toBeNull();
    expect(madeBy()).toEqual(made);
    expect(inKernel()).toEqual(before);
    const { old, new: fresh, free } = await seen();
    expect([old - sentBefore.old, fresh - sentBefore.new, free - sentBefore.free]).toEqual([2, 0, 4]);
  }

  async function isToldByDoctor({ wrapper, rows, remedy }: Lack): Promise<void> {
    const { code, stdout } = await run(wrapper, [CTL, 'doctor', ...rental.home.paths, '-o', 'json']);
    expect(code).toBe(LACKING);
    const { findings } = JSON.parse(stdout) as { findings: Record<string, Finding> };
    const told = Object.entries(findings).filter(([, { found, needed }]) => needed && found !== 'yes');
    expect(told.map(([name]) => name)).toEqual(expect.arrayContaining([...rows]));
    expect(told.some(([, finding]) => remedy.test(finding.remedy))).toBe(true);
    expect(told.filter(([, finding]) => finding.remedy === '')).toEqual([]);
  }

  type DeclareTest = (title: string, body: () => Promise<void>, timeoutMs: number) => void;
  const tried = (lacks: readonly Lack[], declare: DeclareTest): void => {
    for (const lack of lacks) {
      declare(
        `[ER-2] ${lack.title}: agent and launcher refuse with the remedy, the new VM is denied, the old one is unaffected; doctor tells`,
        async () => {
          await denies(lack);
          await isToldByDoctor(lack);
        },
        60_000,
      );
    }
  };
  tried(BY_HIDING, test);
  tried(BY_TRACING, requires(optional(executable('strace')), executable('setarch')).test);

  test('nothing any more: both are enforced, behind the same links', async () => {
    const agent = rental.home.start(['--managed-interfaces', MANAGED]);
    await agent.until('both', (status) => enforces(status, 'one', 'one', a));
    expect(inKernel()).toEqual(before);
    withdraw(rental.home, 'two');
    await agent.end('SIGTERM');
  }, 30_000);
});
