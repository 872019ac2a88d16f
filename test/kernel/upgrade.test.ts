/**
 * The agent gives way to one of another version, newer or older, and that to this one again: on taps of its own and on those that
 * others made, in the midst of traffic, killed on the way. The other version is a real one: see OtherVersion.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AgentStatus } from '../../src/agent/status/status.ts';
import { recordsDirOf } from '../../src/agent/wiring/paths.ts';
import { parseRecord, serializeRecord } from '../../src/agent/wiring/record.ts';
import type { HookKind } from '../../src/native/filter-engine.ts';
import { readBack } from '../../src/native/filter-engine.ts';
import { poll } from '../support/lab/index.ts';
import { OtherVersion, type OtherKind } from '../support/native/other-version.ts';
import type { AgentProcess } from '../support/stage/agent-process.ts';
import { describe } from '../support/stage/needs.ts';
import { OwnAndFound } from '../support/stage/own-and-found.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const CASES: [OtherKind, HookKind][] = [
  ['newer', 'tcx'],
  ['older', 'clsact'],
];

for (const [kind, hook] of CASES) {
  describe(`an agent of the ${kind} version, and programs attached by ${hook}`, () => {
    let rental: RentalLab;
    let other: OtherVersion;
    let agent: AgentProcess;
    let vms: OwnAndFound;

    beforeAll(async () => {
      other = await OtherVersion.built(kind);
      rental = await RentalLab.open(`upg-${kind}`);
      rental.home.wrapper = ['env', `VMNET_HOOK=${hook}`];
      vms = await OwnAndFound.open(rental, 'upgraded', 'upg0');
      agent = ours();
      await vms.plug(await agent.until('both enforced', bothEnforced));
    }, 300_000);
    afterAll(async () => {
      await vms?.close();
      await agent?.end('SIGKILL');
      await rental?.close();
    }, 60_000);

    const flags = ['--managed-interfaces', 'upg*'];
    const ours = (): AgentProcess => rental.home.start(flags);
    const theirs = (): AgentProcess => rental.home.start(flags, other.agent);
    const both = (status: AgentStatus) => vms.both(status);
    const bothEnforced = (status: AgentStatus): boolean =>
      both(status).every(
        (one) =>
          one?.state === 'Enforced' && one.enforced?.programTag?.fromVm === status.agent.programTags.fromVm,
      );
    const filterOf = (pins = 'none') => vms.onHost(() => readBack(join(rental.home.bpffs, pins)));
    const NOTHING = { lost: [0, 0], leaked: 0 };

    test('[EB-4] [contract 1] upgraded, and back again: no frame is lost, none leaks, and each enforces by its own programs', async () => {
      const tags: unknown[] = [];
      const links: unknown[] = [];
      const seen = await vms.during(async () => {
        for (const next of [theirs, ours, theirs, ours]) {
          await agent.end('SIGKILL');
          agent = next();
          const status = await agent.until('both enforced', bothEnforced, 30_000);
          tags.push(status.agent.programTags.fromVm);
          links.push(both(status).map((one) => one?.enforced?.linkId));
        }
      });
      expect(seen).toEqual(NOTHING);
      expect(new Set(tags).size).toBe(2);
      // What holds the programs to the interface is the same all the time: they are given other programs.
      expect(new Set(links.map((one) => JSON.stringify(one))).size).toBe(1);
      const filters = both(await agent.until('both enforced', bothEnforced)).map((one) =>
        filterOf(one?.pins),
      );
      expect(filters.map(({ fromVm }) => fromVm?.attachPoint)).toEqual([
        `${hook}/ingress`,
        `${hook}/ingress`,
      ]);
    }, 120_000);

    test('[EB-4] [contract 1] upgraded by an agent that is killed on the way, again and again: nothing leaks, and the own tap loses nothing', async () => {
      const seen = await vms.during(async () => {
        await agent.end('SIGKILL');
        for (let kill = 0; kill < 6; kill += 1) {
          agent = kill % 2 === 0 ? theirs() : ours();
          const current = agent;
          // It speaks when it begins to work; the rest is chance.
          await poll('its first change', () => current.log.includes('"change"') || !current.running, {
            everyMs: 1,
          });
          await agent.end('SIGKILL');
        }
        agent = ours();
        await agent.until('both enforced', bothEnforced, 30_000);
      });
      // A found VM may be denied for a while where the machine is too busy to tell in time which VM it is.
      expect({ leaked: seen.leaked, lost: seen.lost[0] }).toEqual({ leaked: 0, lost: 0 });
    }, 120_000);

    test('records that a later version wrote are not guessed at: both VMs are denied and told why, until they are as before', async () => {
      await agent.end('SIGKILL');
      const folder = recordsDirOf(rental.home);
      const texts = readdirSync(folder).map(
        (name) => [join(folder, name), readFileSync(join(folder, name), 'utf8')] as const,
      );
      for (const [path, text] of texts) {
        const record = parseRecord(text, basename(path, '.json'));
        writeFileSync(path, serializeRecord({ ...record, version: 2 as never }));
      }
      agent = theirs();
      const told = (status: AgentStatus): boolean =>
        both(status).every((one) => one?.message.includes('version 2 of its format') === true);
      const status = await agent.until('both denied', told);
      expect(both(status).map((one) => filterOf(one?.pins).policyState)).toEqual(['empty', 'empty']);
      await agent.end('SIGKILL');
      const start = await vms.arrived();
      await vms.during(() => Promise.resolve());
      expect(await vms.arrived()).toEqual(start);
      for (const [path, text] of texts) writeFileSync(path, text);
      agent = ours();
      await agent.until('both enforced', bothEnforced);
    }, 120_000);
  });
}
