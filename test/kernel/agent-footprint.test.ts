/** The agent as the chart runs it: with the capabilities that it is granted, and without each one; in a container's view of the host. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { closeSync, mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT_CAPABILITIES } from '../../src/agent/host/capabilities.ts';
import { linkByName } from '../../src/native/rtnetlink.ts';
import { openTap } from '../../src/native/tap.ts';
import { fromGuest } from '../support/frames/cast.ts';
import type { CommandResult, Namespace } from '../support/lab/index.ts';
import { executable } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { castOf } from '../support/stage/agent-cast.ts';
import { enforces, type AgentHome, type AgentProcess } from '../support/stage/agent-process.ts';
import { FoundVm, makeTap } from '../support/stage/found-vm.ts';
import { apply } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { PortCounter } from '../support/stage/port-counter.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';

const AGENT = fileURLToPath(new URL('../../bin/vmnet-agent', import.meta.url));
const PORT = 9477;
const { a, b, x } = RentalLab;
const ALL = AGENT_CAPABILITIES.map(({ name }) => name);
/** CAP_SYS_ADMIN stands for those that were split off from it. */
const WITHOUT_ADMIN = ALL.filter((name) => name !== 'SYS_ADMIN');

requires(executable('setpriv'), executable('unshare')).describe(
  'an agent with the rights of the chart',
  () => {
    let rental: RentalLab;
    let counters: PortCounter[];
    let found: FoundVm;
    let pod: FoundVm;
    let agent: AgentProcess | null = null;

    beforeAll(async () => {
      rental = await RentalLab.open('footprint');
      const spaces = [rental.consumerA, rental.consumerB, rental.internet];
      counters = await Promise.all(spaces.map((space) => PortCounter.place(space, 'eth0', {})));
      for (const folder of [rental.home.stateDir, rental.home.runDir]) mkdirSync(folder);
      await makeTap(rental.host, 'fpt0');
      found = FoundVm.start(rental.host, 'found', [{ tap: 'fpt0', mac: '52:54:00:ff:00:01' }]);
      const space = await rental.lab.namespace('pod');
      await makeTap(space, 'fpt1');
      pod = FoundVm.start(space, 'in-pod', [{ tap: 'fpt1', mac: '52:54:00:ff:00:02' }]);
      apply(rental.home, { name: 'own', endpoint: a });
      apply(rental.home, { name: 'found', endpoint: b });
      apply(rental.home, { name: 'in-pod', endpoint: b });
    }, 60_000);
    afterEach(() => agent?.end('SIGTERM'));
    afterAll(async () => {
      await found?.kill();
      await pod?.kill();
      await rental?.close();
    }, 60_000);

    /**
     * What the container runtime makes of the DaemonSet: nothing can be written to but its volumes, /proc/sys neither, the host's
     * settings are elsewhere, no mount of ours reaches the host, no program gains a capability.
     */
    const contained = (capabilities: readonly string[]): string[] => {
      const settings = join(rental.lab.scratch, 'settings');
      mkdirSync(settings, { recursive: true });
      const { stateDir, runDir } = rental.home;
      const mounts = [
        'mount --make-rslave /',
        `mount --bind /proc/sys/net ${settings}`,
        'mount --bind /proc/sys /proc/sys',
        'mount -o remount,bind,ro /proc/sys',
        ...[stateDir, runDir].map((folder) => `mount --bind ${folder} ${folder}`),
        'mount -o remount,bind,ro /',
      ];
      const granted = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',');
      const drop = ['setpriv', `--bounding-set=${granted}`, '--inh-caps=-all', '--no-new-privs'];
      return [
        ...['unshare', '--mount', 'sh', '-ec', `${mounts.join('; ')}; exec "$@"`, 'sh'],
        ...['env', `VMNET_PROC_SYS_NET=${settings}`, ...drop],
      ];
    };
    const flags = (): string[] => [
      ...['--managed-interfaces', 'fpt*', '--health-address', `127.0.0.1:${String(PORT)}`],
    ];
    const start = (capabilities: readonly string[]): AgentProcess => {
      const wrapper = contained(capabilities);
      const spawn: Namespace['spawn'] = (argv, options) => rental.host.spawn([...wrapper, ...argv], options);
      return (Object.create(rental.home, { host: { value: { spawn } } }) as AgentHome).start(flags());
    };
    const onHost = <T>(work: () => T): T => {
      const leave = moveInto(rental.host);
      try {
        return work();
      } finally {
        leave();
      }
    };
    /** What arrives at each far end of ten frames to each. */
    const arriving = async (send: (to: typeof a, sourcePort: number) => void): Promise<number[]> => {
      const count = async (): Promise<number[]> =>
        Promise.all(counters.map(async (counter) => (await counter.seen())['all']?.packets ?? 0));
      const before = await count();
      for (let round = 0; round < 10; round += 1) [a, b, x].forEach((to, at) => send(to, 42_000 + at));
      return (await count()).map((packets, at) => packets - (before[at] ?? 0));
    };

    test('makes, finds, closes, programs, verifies and serves', async () => {
      agent = start(ALL);
      const status = await agent.until('all to be enforced', (seen) => {
        const on = (tap: string) => seen.attachments.find((one) => one.tap === tap)?.state;
        return enforces(seen, 'own', 'own', a) && on('fpt0') === 'Enforced' && on('fpt1') === 'Enforced';
      });
      const cast = castOf(status, 'own', a);
      const fd = onHost(() => openTap(cast.tap));
      const ofOwn = await arriving(({ address, port }, sourcePort) => {
        writeSync(
          fd,
          fromGuest(cast, { ip: { destination: address }, udp: { destinationPort: port, sourcePort } }),
        );
      });
      closeSync(fd);
      const address = status.attachments.find(({ tap }) => tap === 'fpt0')?.guestAddress ?? '';
      const ofFound = await arriving(
        (to, sourcePort) => void writeSync(found.fd(), found.datagram(address, to, sourcePort)),
      );
      expect([ofOwn, ofFound]).toEqual([
        [10, 0, 0],
        [0, 10, 0],
      ]);
      expect(onHost(() => linkByName('fpt0'))?.up).toBe(true);
      // The setting of the one uplink, by way of the folder that the container has it in.
      expect(await rental.host.run(['cat', '/proc/sys/net/ipv4/conf/uplink/forwarding'])).toBe('1\n');
      for (const path of ['healthz', 'readyz', 'metrics']) {
        const url = `http://127.0.0.1:${String(PORT)}/${path}`;
        const answer = await rental.host.run(['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', url]);
        expect([path, answer]).toEqual([path, '200']);
      }
    }, 60_000);

    test.each(AGENT_CAPABILITIES.filter(({ needed }) => needed))(
      'without CAP_$name does not start, and names it',
      async ({ name }) => {
        const wrapper = contained(WITHOUT_ADMIN.filter((other) => other !== name));
        const { code, stderr }: CommandResult = await rental.host.exec([
          ...[...wrapper, AGENT, ...rental.home.flags, ...flags()],
        ]);
        expect([code, stderr]).toEqual([3, expect.stringContaining('[VMN_CAPABILITY]')]);
        expect(stderr).toContain(`CAP_${name}`);
        const others = WITHOUT_ADMIN.filter((other) => other !== name);
        for (const other of others) expect(stderr).not.toMatch(new RegExp(`CAP_${other}\\b`));
      },
      30_000,
    );

    test.each([
      { name: 'SYS_ADMIN', kept: WITHOUT_ADMIN, tap: 'fpt1', enforced: ['fpt0'] },
      {
        name: 'SYS_PTRACE',
        kept: WITHOUT_ADMIN.filter((name) => name !== 'SYS_PTRACE'),
        tap: 'fpt0',
        enforced: [],
      },
    ])(
      'without CAP_$name runs, says of which VMs it cannot tell, and names it',
      async ({ name, kept, tap, enforced }) => {
        agent = start(kept);
        await agent.until('the rest to be enforced', (seen) => {
          const are = enforced.every(
            (one) => seen.attachments.find((other) => other.tap === one)?.state === 'Enforced',
          );
          return are && enforces(seen, 'own', 'own', a);
        });
        const status = await agent.until(`what is said of CAP_${name}`, (seen) =>
          [JSON.stringify(seen), agent?.log].join().includes(`CAP_${name}`),
        );
        expect(status.attachments.find((one) => one.tap === tap)?.state).not.toBe('Enforced');
      },
      30_000,
    );
  },
);
