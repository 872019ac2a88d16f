import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { poll } from '../support/lab/index.ts';
import { type AgentHome, type AgentProcess } from '../support/stage/agent-process.ts';
import { describe } from '../support/stage/needs.ts';
import { RaceLab } from '../support/stage/race-lab.ts';
import { vmnetctl, type Outcome } from '../unit/cli/vmnetctl.ts';

const PATTERNS = ['--managed-interfaces', 'vnet*,web0'];
const ALL = ['table arp vmnetwork', 'table bridge vmnetwork', 'table inet vmnetwork'];

/* Who puts the standing guard in place, keeps it and takes it away. What it holds: guard-races. */
describe('the standing guard', () => {
  let lab: RaceLab;
  let home: AgentHome;
  let agent: AgentProcess | null = null;
  const guard = (...args: string[]): Promise<Outcome> =>
    vmnetctl(['guard', ...args, ...home.paths], { prefix: lab.host.enter([]) });
  const tables = async (): Promise<string[]> =>
    (await lab.host.run(['nft', 'list', 'tables']))
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  const inForce = async (): Promise<boolean> => (await guard('show')).code === 0;
  const pings = async (from: 'left' | 'host', to: string): Promise<number> =>
    (await lab[from].exec(['ping', '-c', '1', '-W', '3', to])).code;

  beforeAll(async () => {
    lab = await RaceLab.open('guard');
    home = lab.agentHome('guard');
  }, 60_000);
  beforeEach(async () => {
    await lab.host.run(['nft', 'flush', 'ruleset']);
  });
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await lab?.close();
  }, 30_000);

  test('is made, shown and removed by hand, and touches nothing else', async () => {
    const mine = 'table ip mine { chain c { type filter hook forward priority 0; counter accept; }; }';
    await lab.host.run(['nft', mine]);
    expect(await guard('show')).toMatchObject({ code: 1, stderr: '' });
    expect(await guard('apply', ...PATTERNS)).toMatchObject({ code: 0, stderr: '' });
    const { code, stdout } = await guard('show', '-o', 'json');
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        inForce: true,
        patterns: ['vmn-*', 'vnet*', 'web0'],
        boundLinks: [],
        openedUplinks: [],
        interfaces: [],
      },
    ]);
    // To a mate in the bridge, from container to container, from a container out by the uplink, and out of the host.
    const reached = [
      await pings('host', '192.0.2.50'),
      await pings('left', '172.17.0.3'),
      await pings('left', RaceLab.far),
      await pings('host', RaceLab.far),
    ];
    expect(reached).toEqual([0, 0, 0, 0]);

    await lab.host.run(['ip', 'tuntap', 'add', 'web0', 'mode', 'tap']);
    const kept = await guard('remove');
    expect([kept.code, kept.stderr]).toEqual([2, expect.stringContaining('managed taps exist')]);
    expect(await inForce()).toBe(true);
    await lab.host.run(['ip', 'link', 'del', 'web0']);
    expect(await guard('remove')).toMatchObject({ code: 0, stderr: '' });
    expect(await tables()).toEqual(['table ip mine']);
  }, 60_000);

  test('is not made where it would cut off something else, by hand or by an agent', async () => {
    await lab.host.run(['ip', 'link', 'add', 'web0', 'type', 'veth', 'peer', 'name', 'web1']);
    try {
      const { code, stderr } = await guard('apply', ...PATTERNS);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining("'web0' matches web0, which is of kind veth"),
      ]);
      agent = home.start(PATTERNS);
      await poll('the end of the agent', () => agent?.running === false);
      expect(agent.log).toContain("'web0' matches web0, which is of kind veth");
      expect(await tables()).toEqual([]);
    } finally {
      await lab.host.run(['ip', 'link', 'del', 'web0']);
    }
  }, 30_000);

  test('is there as soon as an agent has patterns, comes back whatever is taken of it, and outlives the agent', async () => {
    await guard('apply', '--managed-interfaces', 'found*');
    agent = home.start([...PATTERNS, '--resync-seconds', '60']);
    const whole = async (): Promise<boolean> => {
      const { stdout } = await guard('show', '-o', 'json');
      const { inForce: is, patterns } = JSON.parse(stdout) as { inForce: boolean; patterns: string[] };
      return is && patterns.join() === 'vmn-*,vnet*,web0';
    };
    // What it was not told of stays, for only a person may open it.
    await poll('its patterns', async () =>
      (await guard('show')).stdout.includes('found*, vmn-*, vnet*, web0'),
    );
    await lab.host.run(['nft', 'flush', 'ruleset']);
    await poll('the guard', whole);
    for (const table of ALL) {
      await lab.host.run(['nft', 'delete', ...table.split(' ')]);
      await poll(`the guard without ${table}`, whole);
    }
    await lab.host.run(['nft', 'flush', 'chain', 'bridge', 'vmnetwork', 'to_vm']);
    await poll('the guard without a chain', whole);
    await agent.end('SIGTERM');
    expect([await tables(), await whole()]).toEqual([ALL, true]);
  }, 60_000);

  test('an older nft is not asked for more than it knows: no pattern stands in a set', async () => {
    await guard('apply', ...PATTERNS);
    expect(await lab.host.run(['nft', 'list', 'ruleset'])).not.toMatch(/elements|interval/);
  });
});
