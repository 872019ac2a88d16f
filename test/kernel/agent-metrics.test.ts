/** What a real agent serves over HTTP, beside what the kernel counts. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { isDrop, reasonMetric } from '../../src/filter/drop-reason.ts';
import { counters, readBack } from '../../src/native/filter-engine.ts';
import { arpRequest, fromGuest, STRANGER } from '../support/frames/cast.ts';
import { ethernet, EtherType } from '../support/frames/ethernet.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply, withdraw } from '../support/stage/manifest.ts';
import { describe } from '../support/stage/needs.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';

const AGENT = fileURLToPath(new URL('../../bin/vmnet-agent', import.meta.url));
const ADDRESS = '127.0.0.1:9100';
/** Prints status and body of a page. */
const ASK = `fetch(process.argv[1]).then(async (r) => console.log(r.status + '\\n' + await r.text()))`;
const FLAGS = ['--health-address', ADDRESS];
const { a, b } = RentalLab;

type Series = Record<string, number>;

describe('an agent that is asked over HTTP', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  beforeAll(async () => {
    rental = await RentalLab.open('metrics');
    await rental.host.run(['ip', 'link', 'set', 'lo', 'up']);
    apply(rental.home, { name: 'one', endpoint: a });
    apply(rental.home, { name: 'two', endpoint: b });
    agent = rental.home.start(FLAGS);
    await bothEnforced();
  }, 45_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  const bothEnforced = () =>
    agent.until(
      'both enforced',
      (seen) => enforces(seen, 'one', 'one', a) && enforces(seen, 'two', 'two', b),
    );
  async function ask(path: string): Promise<{ code: number; body: string }> {
    const text = await rental.host.run([process.execPath, '-e', ASK, `http://${ADDRESS}${path}`]);
    const [code, ...lines] = text.split('\n');
    return { code: Number(code), body: lines.join('\n') };
  }
  /** Samples of frames that are not zero. */
  async function scraped(): Promise<Series> {
    const { body } = await ask('/metrics');
    const samples = body.matchAll(/^vmnetwork_agent_frames_total\{(.*)\} (\d+)$/gm);
    return Object.fromEntries(
      [...samples].flatMap(([, labels = '', count]) => (count === '0' ? [] : [[labels, Number(count)]])),
    );
  }
  const untilScraped = (what: string, wanted: () => Series): Promise<unknown> => {
    let seen: Series = {};
    const detail = (): string => JSON.stringify({ seen, wanted: wanted() });
    const matches = async (): Promise<boolean> => {
      seen = await scraped();
      return JSON.stringify(sorted(seen)) === JSON.stringify(sorted(wanted()));
    };
    return poll(what, matches, { deadlineMs: 30_000, everyMs: 500, detail });
  };
  const inHost = <T>(body: () => T): T => {
    const leave = moveInto(rental.host);
    try {
      return body();
    } finally {
      leave();
    }
  };
  const pins = (vm: string): string => join(rental.home.bpffs, identityOf(vm).tap);
  /** As the kernel has it, asked without the agent. */
  function inKernel(...vms: string[]): Series {
    const sums: Series = {};
    for (const vm of vms)
      for (const { direction, reason, audited, packets } of inHost(() => counters(pins(vm)))) {
        const verdict = audited ? 'audited' : isDrop(reason) ? 'dropped' : 'passed';
        const way = direction.replace('-', '_');
        const labels = `direction="${way}",verdict="${verdict}",reason="${reasonMetric(reason)}"`;
        sums[labels] = (sums[labels] ?? 0) + Number(packets);
      }
    return sums;
  }
  /** A guest says what it may, and what it may not. */
  function speak(vm: string, cast: RealCast, times: number): void {
    inHost(() => {
      const card = new VirtualCard(identityOf(vm).tap);
      const frames = [
        fromGuest(cast),
        arpRequest(cast),
        fromGuest(cast, { ip: { destination: STRANGER.address } }),
        fromGuest(cast, { ethernet: { source: STRANGER.mac } }),
        ethernet({
          destination: cast.gatewayMac,
          source: cast.guestMac,
          etherType: EtherType.ipv6,
          payload: new Uint8Array(40),
        }),
      ];
      for (let turn = 0; turn < times; turn += 1) for (const frame of frames) card.send(frame);
      card.close();
    });
  }

  test('is well and ready', async () => {
    expect(await ask('/healthz')).toMatchObject({ code: 200 });
    expect(await ask('/readyz?verbose')).toEqual({
      code: 200,
      body: expect.stringContaining('[+]pass ok\n[+]wishes ok\n[+]guard ok\n[+]bpffs ok\nok'),
    });
  }, 20_000);

  test('is not ready while it cannot read what is wanted', async () => {
    const broken = 'broken';
    writeFileSync(join(rental.home.manifests, `${broken}.yaml`), 'kind: [');
    await poll('a word about it', async () => {
      const { code, body } = await ask('/readyz');
      return code === 503 && body.includes('[-]wishes: are not all known');
    });
    withdraw(rental.home, broken);
    await poll('being ready again', async () => (await ask('/readyz')).code === 200);
  }, 45_000);

  test('counts what the kernel counts, by reason', async () => {
    const status = await bothEnforced();
    speak('one', castOf(status, 'one', a), 3);
    speak('two', castOf(status, 'two', b), 2);
    const seen = inKernel('one', 'two');
    for (const reason of ['destination_address', 'source_mac', 'ipv6'])
      expect(seen[`direction="from_vm",verdict="dropped",reason="${reason}"`]).toBe(5);
    await untilScraped('the counts of the kernel', () => inKernel('one', 'two'));
    const { body } = await ask('/metrics');
    expect(body).toContain('vmnetwork_agent_attachments{state="Enforced"} 2\n');
    expect(body).toMatch(
      /^vmnetwork_agent_build_info\{version="\S+",from_vm_program="\w+",to_vm_program="\w+"\} 1$/m,
    );
  }, 60_000);

  test('keeps the counts of a VM that is gone, and over its own restart', async () => {
    const before = inKernel('one', 'two');
    withdraw(rental.home, 'two');
    await agent.until('the end of two', (seen) => attachmentOf(seen, 'two') === undefined);
    await untilScraped('the same counts', () => before);
    await agent.end('SIGTERM');
    agent = rental.home.start(FLAGS);
    await agent.until('one enforced', (seen) => enforces(seen, 'one', 'one', a));
    await untilScraped('the same counts', () => before);
    expect(before).not.toEqual(inKernel('one'));
  }, 90_000);

  test('ends with a signal: code 0, the filters as they were, and the next one begins at once', async () => {
    await agent.end('SIGTERM');
    const child = rental.host.spawn([AGENT, ...rental.home.flags, ...FLAGS], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let log = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (log += text));
    await poll('its first pass', async () => (await ask('/readyz').catch(() => null))?.code === 200);
    const filter = inHost(() => readBack(pins('one')));
    expect(filter.policyState).toBe('set');
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(inHost(() => readBack(pins('one')))).toEqual(filter);
    agent = rental.home.start(FLAGS);
    await agent.until('one enforced', (seen) => enforces(seen, 'one', 'one', a));
    for (const line of log.trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ name: 'vmnet-agent', msg: expect.any(String) });
  }, 45_000);

  test('an address that is taken: exit code 3, and where', async () => {
    // By somebody else: a second agent would not get as far.
    await agent.end('SIGTERM');
    const listen =
      "require('node:net').createServer().listen(9100, '127.0.0.1', () => console.log('listens'))";
    const listener = rental.host.spawn([process.execPath, '-e', listen], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (listener.stdout !== null) await once(listener.stdout, 'data');
    const { code, stderr } = await rental.host.exec([
      AGENT,
      ...rental.home.flags,
      '--health-address',
      ADDRESS,
    ]);
    listener.kill('SIGKILL');
    expect([code, stderr]).toEqual([3, expect.stringContaining('127.0.0.1 port 9100')]);
  }, 20_000);
});

const sorted = (series: Series): [string, number][] =>
  Object.entries(series).sort(([one], [other]) => (one < other ? -1 : 1));
