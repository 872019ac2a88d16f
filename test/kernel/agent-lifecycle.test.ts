import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { readBack } from '../../src/native/filter-engine.ts';
import type { AgentStatus, AttachmentStatus } from '../../src/agent/status/status.ts';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { attachmentOf, enforces, networkOf, type AgentProcess } from '../support/stage/agent-process.ts';
import { apply, manifestText, withdraw } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';

const { a, b } = RentalLab;
const MOVED = { ...a, port: 51901 };

/* One real agent over one host; each test starts from and returns to "one and two are enforced". */
describe('the agent', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  const tap = identityOf('one').tap;

  beforeAll(async () => {
    rental = await RentalLab.open('life');
    apply(rental.home, { name: 'one', endpoint: a });
    apply(rental.home, { name: 'two', endpoint: b });
    agent = rental.home.start();
    await bothEnforced();
  }, 45_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  const bothEnforced = (): Promise<AgentStatus> =>
    agent.until(
      'both enforced',
      (seen) => enforces(seen, 'one', 'one', a) && enforces(seen, 'two', 'two', b),
    );
  const one = (status: AgentStatus): AttachmentStatus => {
    const found = attachmentOf(status, 'one');
    if (found === undefined) throw new Error(`no attachment of one in ${JSON.stringify(status)}`);
    return found;
  };
  const isDenied = (status: AgentStatus): boolean => attachmentOf(status, 'one')?.state === 'Denied';
  /** What the kernel holds, asked without the agent. */
  const inKernel = (vm: string): ReturnType<typeof readBack> => {
    const leave = moveInto(rental.host);
    try {
      return readBack(join(rental.home.bpffs, identityOf(vm).tap));
    } finally {
      leave();
    }
  };
  async function whileHeld(body: (card: VirtualCard) => Promise<unknown>): Promise<void> {
    const leave = moveInto(rental.host);
    const card = new VirtualCard(tap);
    leave();
    try {
      await agent.until('the VM is seen', (seen) => one(seen).inUse);
      await body(card);
    } finally {
      card.close();
    }
  }
  const file = (name: string): string => join(rental.home.manifests, `${name}.yaml`);

  test('Enforced is what the kernel says: both hooks, our programs, our policy', async () => {
    const status = await bothEnforced();
    const found = inKernel('one');
    const { enforced, ifindex } = one(status);
    expect(found.fromVm).toMatchObject({ ifindex, attachPoint: 'tcx/ingress', first: true });
    expect(found.toVm).toMatchObject({ ifindex, attachPoint: 'tcx/egress', first: true });
    expect(enforced?.programTag).toEqual(status.agent.programTags);
    expect(enforced?.linkId).toEqual({ fromVm: found.fromVm?.linkId, toVm: found.toVm?.linkId });
    expect(enforced?.policyHash).toBe(found.policyHash);
    const types = networkOf(status, 'one')?.conditions.map(({ type, status: is }) => `${type}=${is}`);
    const inForce = ['Accepted=True', 'Bound=True', 'Programmed=True', 'Enforced=True'];
    // No guest speaks.
    expect(types).toEqual([...inForce, 'TunnelEstablished=False', 'Ready=True']);
  });

  test('at rest it reads everything back each resync period, and writes nothing: neither log nor policy', async () => {
    await agent.end('SIGTERM');
    agent = rental.home.start(['--resync-seconds', '1']);
    const before = {
      at: one(await bothEnforced()).enforced?.verifiedAt,
      log: agent.log,
      hash: inKernel('one'),
    };
    await agent.until('two more passes', (seen) => {
      const now = Date.parse(one(seen).enforced?.verifiedAt ?? '');
      return now > Date.parse(before.at ?? '') + 1500;
    });
    expect(agent.log).toBe(before.log);
    expect(inKernel('one')).toEqual(before.hash);
    await agent.end('SIGTERM');
    agent = rental.home.start();
    await bothEnforced();
  }, 30_000);

  test('an edit moves the policy, with the next generation, and not the programs', async () => {
    const before = one(await bothEnforced()).enforced;
    apply(rental.home, { name: 'one', endpoint: MOVED });
    const status = await agent.until('the move', (seen) => enforces(seen, 'one', 'one', MOVED));
    const after = one(status).enforced;
    expect(after?.generation).toBe((before?.generation ?? 0) + 1);
    expect(after?.linkId).toEqual(before?.linkId);
    expect(after?.policyHash).toBe(inKernel('one').policyHash);
    expect(networkOf(status, 'one')?.generation).toBe(2);
    apply(rental.home, { name: 'one', endpoint: a });
    await bothEnforced();
  });

  test.each([
    [
      'port 65536',
      () => manifestText({ name: 'one', endpoint: { ...a, port: 65536 } }),
      'spec.consumerEndpoint.port',
    ],
    [
      'port 0',
      () => manifestText({ name: 'one', endpoint: { ...a, port: 0 } }),
      'spec.consumerEndpoint.port',
    ],
    [
      'octal address',
      () => manifestText({ name: 'one', endpoint: { ...a, address: '010.0.0.1' } }),
      'spec.consumerEndpoint.address',
    ],
    [
      'unknown field',
      () => manifestText({ name: 'one', endpoint: a, more: ['endpiont: x'] }),
      'spec.endpiont',
    ],
    ['no endpoint', () => manifestText({ name: 'one' }), 'spec.consumerEndpoint'],
    ['empty file', () => '', undefined],
    ['half a file', () => manifestText({ name: 'one', endpoint: a }).slice(0, 150), undefined],
    ['not YAML', () => ': : {', undefined],
    ['10 MB', () => `# ${'x'.repeat(10_000_000)}\n${manifestText({ name: 'one', endpoint: a })}`, undefined],
    [
      'alias bomb',
      () =>
        `a: &a [x, x]\n${[...'bcdefghij'].map((name, i) => `${name}: &${name} [*${'abcdefghi'[i] ?? ''}, *${'abcdefghi'[i] ?? ''}]`).join('\n')}\n`,
      undefined,
    ],
  ])(
    'bad input (%s): that VM denied, the problem named, the other VM enforced',
    async (_what, text, field) => {
      writeFileSync(file('one'), text());
      const status = await agent.until('denial', (seen) => isDenied(seen) && seen.problems.length > 0);
      expect(enforces(status, 'two', 'two', b)).toBe(true);
      expect(status.problems[0]).toMatchObject({
        file: 'one.yaml',
        ...(field === undefined ? {} : { field }),
      });
      expect(status.problems[0]?.remedy).not.toBe('');
      expect(inKernel('one').policyState).toBe('empty');
      expect(inKernel('two').policyState).toBe('set');
      apply(rental.home, { name: 'one', endpoint: a });
      expect((await bothEnforced()).problems).toEqual([]);
    },
  );

  test('a manifest twice: both copies refused, the VM denied, and the tap kept', async () => {
    writeFileSync(file('copy'), manifestText({ name: 'one', endpoint: b }));
    const status = await agent.until('denial', isDenied);
    expect(status.problems.map(({ code }) => code)).toEqual([
      'VMN_MANIFEST_DUPLICATE',
      'VMN_MANIFEST_DUPLICATE',
    ]);
    unlinkSync(file('copy'));
    await bothEnforced();
  });

  test('a second network for a VM: the older keeps it, the younger has a conflict', async () => {
    apply(rental.home, { name: 'usurper', vm: 'one', endpoint: b });
    const status = await agent.until('the conflict', (seen) => networkOf(seen, 'usurper') !== undefined);
    expect(networkOf(status, 'usurper')?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Bound', status: 'False', reason: 'Conflict' }),
    );
    expect(enforces(status, 'one', 'one', a)).toBe(true);
    // The older one becomes illegible: the VM is denied, not handed over.
    writeFileSync(file('one'), 'half a li');
    const denied = await agent.until('denial', isDenied);
    expect(one(denied).message).toContain('tenant/one holds this VM');
    withdraw(rental.home, 'usurper');
    apply(rental.home, { name: 'one', endpoint: a });
    await bothEnforced();
  });

  test.each([
    [
      'a limit that the filter cannot count',
      'limits: {packetsPerSecond: 1000000001}',
      'Unsupported',
      'spec.limits',
    ],
    ['Audit, which the class does not allow', 'enforcement: Audit', 'DeniedByClass', 'spec.enforcement'],
  ])('%s: refused by name, the VM denied', async (_what, more, reason, field) => {
    apply(rental.home, { name: 'one', endpoint: a, more: [more] });
    const status = await agent.until('denial', isDenied);
    expect(networkOf(status, 'one')?.conditions[0]).toMatchObject({ status: 'False', reason });
    expect(networkOf(status, 'one')?.conditions[0]?.message).toContain(field);
    apply(rental.home, { name: 'one', endpoint: a });
    await bothEnforced();
  });

  test('quarantine closes the VM and is Enforced', async () => {
    apply(rental.home, { name: 'one', endpoint: a, more: ['desiredState: Quarantined'] });
    const status = await agent.until('quarantine', (seen) => one(seen).message.startsWith('quarantined'));
    expect(one(status).state).toBe('Enforced');
    expect(networkOf(status, 'one')?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Enforced', status: 'True', reason: 'Quarantined' }),
    );
    apply(rental.home, { name: 'one', endpoint: a });
    await agent.until('release', (seen) => one(seen).message.startsWith('only'));
  });

  test('a manifest that vanishes: a running VM is denied and keeps its tap; later it is removed', async () => {
    await whileHeld(async () => {
      withdraw(rental.home, 'one');
      const status = await agent.until('denial', isDenied);
      expect(one(status)).toMatchObject({ network: null, inUse: true, enforced: null });
      expect(inKernel('one')).toMatchObject({
        policyState: 'empty',
        fromVm: { first: true },
        toVm: { first: true },
      });
    });
    await agent.until('removal', (seen) => attachmentOf(seen, 'one') === undefined);
    apply(rental.home, { name: 'one', endpoint: a });
    await bothEnforced();
  });

  test('the folder becomes unreadable: everything is denied, with a problem; then all returns', async () => {
    const away = `${rental.home.manifests}-away`;
    renameSync(rental.home.manifests, away);
    const status = await agent.until('denial', ({ attachments }) =>
      attachments.every(({ state }) => state === 'Denied'),
    );
    expect(status.problems).toEqual([expect.objectContaining({ code: 'VMN_FOLDER_UNREADABLE' })]);
    expect(status.attachments.map(({ vm }) => vm)).toEqual(['one', 'two']);
    renameSync(away, rental.home.manifests);
    await bothEnforced();
  }, 30_000);

  test('a damaged record: that VM is closed and an error, its address is not given away, the other is untouched', async () => {
    const records = join(rental.home.stateDir, 'attachments');
    const path = join(records, `${tap}.json`);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('100.64.', '100.65.'));
    const status = await agent.until('the error', (seen) => one(seen).state === 'Error');
    expect(inKernel('one').policyState).toBe('empty');
    expect(status.problems).toEqual([
      expect.objectContaining({ file: 'VM one', code: 'VMN_STATE_UNREADABLE' }),
    ]);
    expect(enforces(status, 'two', 'two', b)).toBe(true);
    expect(readdirSync(records).length).toBe(2);
    writeFileSync(path, text);
    await bothEnforced();
  });

  test('an interface of that name that is not ours is not touched', async () => {
    const stranger = identityOf('stranger').tap;
    await rental.host.run(['ip', 'tuntap', 'add', 'dev', stranger, 'mode', 'tap']);
    const before = await rental.host.run(['ip', '-d', 'link', 'show', stranger]);
    apply(rental.home, { name: 'stranger', endpoint: a });
    const status = await agent.until(
      'the refusal',
      (seen) => attachmentOf(seen, 'stranger')?.state === 'Error',
    );
    expect(status.problems).toEqual([
      expect.objectContaining({ file: 'VM stranger', code: 'VMN_TAP_NOT_OURS' }),
    ]);
    expect(await rental.host.run(['ip', '-d', 'link', 'show', stranger])).toBe(before);
    expect(enforces(status, 'one', 'one', a)).toBe(true);
    await rental.host.run(['ip', 'link', 'del', stranger]);
    await agent.until('its own tap', (seen) => enforces(seen, 'stranger', 'stranger', a));
    withdraw(rental.home, 'stranger');
    await agent.until('removal', (seen) => attachmentOf(seen, 'stranger') === undefined);
  });

  test('an unreadable manifest file (a folder, a link): a problem, and nothing else happens', async () => {
    renameSync(file('two'), join(rental.home.manifests, 'two.moved'));
    chmodSync(join(rental.home.manifests, 'two.moved'), 0o600);
    // At once: without either there would be no manifest, and no VM two.
    symlinkSync('two.moved', file('two'));
    const status = await agent.until('denial', (seen) => attachmentOf(seen, 'two')?.state === 'Denied');
    expect(status.problems).toEqual([
      expect.objectContaining({ file: 'two.yaml', code: 'VMN_MANIFEST_UNREADABLE' }),
    ]);
    expect(enforces(status, 'one', 'one', a)).toBe(true);
    renameSync(join(rental.home.manifests, 'two.moved'), file('two'));
    await bothEnforced();
  });

  test('refused frames are told on the socket: which VM, which way, why, and what it was', async () => {
    const lines: string[] = [];
    const stream = request({
      socketPath: join(rental.home.runDir, 'agent.sock'),
      path: '/v1/events',
      agent: false,
    });
    const opened = once(stream, 'response');
    stream.end();
    const [response] = (await opened) as [IncomingMessage];
    response.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
    response.on('error', () => undefined);
    const cast = castOf(await bothEnforced(), 'one', a);
    await whileHeld((card) =>
      poll('the event', () => {
        card.send(fromGuest(cast, { ip: { destination: '192.0.2.66' }, udp: { destinationPort: 53 } }));
        return lines.length > 0;
      }),
    );
    stream.destroy();
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      vm: 'one',
      network: 'tenant/one',
      direction: 'from-vm',
      reason: 'DestinationAddress',
      summary: expect.stringMatching(/^IPv4 100\.64\.\d+\.\d+:\d+ > 192\.0\.2\.66:53 UDP \d+ bytes/),
    });
  });

  test('a second agent is refused and disturbs nothing', async () => {
    const second = rental.home.start(['--takeover-seconds', '0']);
    await poll('its end', () => !second.running);
    expect(second.log).toContain('VMN_AGENT_RUNNING');
    expect((await bothEnforced()).agent.pid).toBe((await agent.status())?.agent.pid);
  });

  test('SIGKILL leaves the kernel as it is; the next agent adopts it without a write', async () => {
    const before = { one: inKernel('one'), two: inKernel('two') };
    await agent.end('SIGKILL');
    expect({ one: inKernel('one'), two: inKernel('two') }).toEqual(before);
    agent = rental.home.start();
    await bothEnforced();
    expect({ one: inKernel('one'), two: inKernel('two') }).toEqual(before);
    expect(agent.log).not.toContain('"change"');
  });

  test('SIGTERM ends it with code 0 and leaves the filters', async () => {
    const before = inKernel('one');
    await agent.end('SIGTERM');
    expect(agent.log).toContain('the filters stay in force');
    expect(inKernel('one')).toEqual(before);
    agent = rental.home.start();
    await bothEnforced();
  });
});
