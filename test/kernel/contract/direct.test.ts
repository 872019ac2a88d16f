/**
 * The last row of the agent's contract: mode Direct, of a VM on a tap of ours and one on somebody else's, which send to both consumers,
 * the internet and whatever is forbidden all the time. See rows.test.ts for the other rows.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus } from '../../../src/agent/status/status.ts';
import { readBack } from '../../../src/native/filter-engine.ts';
import { decodePolicy } from '../../../src/native/policy-abi.ts';
import { ContractHost, type ContractVm, type Traffic } from '../../support/contract/contract-host.ts';
import { Protocol } from '../../support/frames/ipv4.ts';
import { enforces, networkOf, type AgentProcess } from '../../support/stage/agent-process.ts';
import { applyMode } from '../../support/stage/moded-manifest.ts';
import { describe } from '../../support/stage/needs.ts';
import { RentalLab } from '../../support/stage/rental-lab.ts';

/** What nobody waits for unless the machine is busy. */
const PATIENCE_MS = 30_000;
const NOTHING = { own: 0, found: 0 };
const { a, x, hostAddress } = RentalLab;

/** Consumer B and the host's own network are denied; the internet is not, nor is any port of consumer A. */
const CLASS = `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetworkClass
metadata: {name: open}
spec:
  allowedModes: [Direct, Filtered]
  deniedDestinations: {networks: [198.51.100.0/24, 192.168.77.0/24]}
`;

describe('what must hold in mode Direct', () => {
  let host: ContractHost;
  let agent: AgentProcess;
  let vms: ContractVm[] = [];

  beforeAll(async () => {
    host = await ContractHost.open('cdirect');
    writeFileSync(join(host.rental.home.manifests, 'class.yaml'), CLASS);
    agent = host.start();
    await until('the first pass', () => true);
    const found = await host.startFound('cd-found');
    host.declare('cd-own', 'a', ['className: open']);
    host.declare('cd-found', 'a', ['className: open']);
    vms = [(await host.startOwn('cd-own'))!, found];
    await heldToA();
  }, 150_000);
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await host?.close();
  }, 60_000);

  const until = (what: string, is: (status: AgentStatus) => boolean): Promise<AgentStatus> =>
    agent.until(what, is, PATIENCE_MS);
  const heldToA = (): Promise<AgentStatus> =>
    until('both to be held to their endpoint', (status) =>
      vms.every(({ name }) => enforces(status, name, name, a)),
    );
  const conditions = (status: AgentStatus, name: string): Record<string, string> =>
    Object.fromEntries(
      (networkOf(status, name)?.conditions ?? []).map(({ type, status: is, reason }) => [
        type,
        `${is} ${reason}`,
      ]),
    );
  const say = (type: string, what: string): Promise<AgentStatus> =>
    until(what, (status) => vms.every(({ name }) => conditions(status, name)[type] === what));
  const declare = (mode: string, className = 'open'): void => {
    for (const { name } of vms)
      if (mode === 'Direct') applyMode(host.rental.home, mode, { name, more: [`className: ${className}`] });
      else host.declare(name, 'a', [`className: ${className}`]);
  };
  const inKernel = (status: AgentStatus) =>
    host.inside(() => vms.map((vm) => readBack(join(host.rental.home.bpffs, host.on(status, vm)!.pins))));
  const modes = (status: AgentStatus): (string | null)[] =>
    inKernel(status).map(({ policy }) => (policy === null ? null : decodePolicy(policy).mode));
  const during = (work: () => unknown): Promise<Traffic> => host.during(vms, work);
  /** No datagram to consumer A is lost, and none gets to consumer B. */
  const goesOn = ({ written, arrived }: Traffic): void => {
    for (const counts of Object.values(written))
      expect(Object.values(counts).every((count) => count > 0)).toBe(true);
    expect(arrived).toEqual({ a: written.a, b: NOTHING });
  };

  test('[contract 14] the host does not enforce whom a VM talks to: Enforced=False, NotHostEnforced; what is denied to all stays so, through the change and the death of the agent', async () => {
    goesOn(await during(() => undefined));
    expect(await host.farEnds.leaked()).toEqual({});

    goesOn(
      await during(async () => {
        declare('Direct');
        const status = await say('Enforced', 'False NotHostEnforced');
        expect(modes(status)).toEqual(['Direct', 'Direct']);
        for (const { name } of vms)
          expect(conditions(status, name)).toMatchObject({
            Programmed: 'True Programmed',
            Ready: 'True Ready',
          });
      }),
    );
    goesOn(await during(() => undefined));
    // The internet hears both, and nobody hears what is denied, or who they are not.
    expect(Object.keys(await host.farEnds.leaked())).toContain('the internet');
    expect(await host.farEnds.leaked(isOpen)).toEqual({});

    const before = inKernel(await say('Enforced', 'False NotHostEnforced'));
    goesOn(
      await during(async () => {
        await agent.end('SIGKILL');
        agent = host.start();
        await say('Enforced', 'False NotHostEnforced');
      }),
    );
    expect(inKernel(await say('Enforced', 'False NotHostEnforced'))).toEqual(before);
    expect(await host.farEnds.leaked(isOpen)).toEqual({});

    goesOn(
      await during(async () => {
        declare('Filtered');
        expect(modes(await heldToA())).toEqual(['Filtered', 'Filtered']);
      }),
    );
    expect(await host.farEnds.leaked(isOpen)).toEqual({});
    await host.farEnds.forget();
    goesOn(await during(() => undefined));
    expect(await host.farEnds.leaked()).toEqual({});
  }, 90_000);

  test('[contract 14] a class that does not name it: nothing passes', async () => {
    await host.farEnds.forget();
    declare('Direct', 'default');
    const status = await say('Accepted', 'False DeniedByClass');
    for (const { name } of vms)
      expect(conditions(status, name)).toMatchObject({ Enforced: 'False Denied', Ready: 'False NotReady' });
    expect(inKernel(status).map(({ policyState }) => policyState)).toEqual(['empty', 'empty']);
    expect((await during(() => undefined)).arrived).toEqual({ a: NOTHING, b: NOTHING });
    expect(await host.farEnds.leaked()).toEqual({});
  }, 60_000);
});

/** What Direct lets out: to any port of consumer A and to the internet, from the host's address; and their answers. */
function isOpen(frame: Uint8Array): boolean {
  const [source, destination] = [frame.subarray(26, 30), frame.subarray(30, 34)].map((bytes) =>
    bytes.join('.'),
  );
  if (source !== hostAddress && destination !== hostAddress) return false;
  const port = ((frame[36] ?? 0) << 8) | (frame[37] ?? 0);
  if (frame[23] === Protocol.tcp) return source === a.address || destination === a.address;
  if (frame[23] !== Protocol.udp) return false;
  // To the port of the endpoint itself the guests send nothing that is captured but as somebody else.
  return destination === a.address ? port === a.port + 1 : destination === x.address && port === x.port;
}
