import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { identityOf } from '../../src/agent/wiring/identity.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { fromGuest } from '../support/frames/cast.ts';
import { poll } from '../support/lab/index.ts';
import { castOf, type RealCast } from '../support/stage/agent-cast.ts';
import { type AgentProcess, enforces } from '../support/stage/agent-process.ts';
import { apply } from '../support/stage/manifest.ts';
import { moveInto } from '../support/stage/own-namespace.ts';
import { RentalLab } from '../support/stage/rental-lab.ts';
import { VirtualCard } from '../support/stage/virtual-card.ts';
import { type Outcome, ROOT, vmnetctl } from '../unit/cli/vmnetctl.ts';

const { describe } = requires(root, executable('nft'));

describe('vmnetctl status and drops on a real kernel', () => {
  let rental: RentalLab;
  let agent: AgentProcess;
  let cast: RealCast;
  let card: VirtualCard;
  const vm = 'guest';
  const { tap } = identityOf(vm);

  const paths = (): string[] => {
    const { stateDir, runDir, bpffs } = rental.home;
    return ['--state-dir', stateDir, '--run-dir', runDir, '--bpffs', bpffs];
  };
  const ctl = (...args: string[]): Promise<Outcome> =>
    vmnetctl([...args, ...paths()], { prefix: rental.host.enter([]) });

  async function startAgent(): Promise<void> {
    agent = rental.home.start();
    const status = await agent.until('enforcement', (now) => enforces(now, vm, vm, RentalLab.a));
    cast = castOf(status, vm, RentalLab.a);
  }

  function guestSends(...frames: Uint8Array[]): void {
    const leave = moveInto(rental.host);
    try {
      for (const frame of frames) card.send(frame);
    } finally {
      leave();
    }
  }

  beforeAll(async () => {
    rental = await RentalLab.open('clistat');
    apply(rental.home, { name: vm, endpoint: RentalLab.a });
    await startAgent();
    const leave = moveInto(rental.host);
    card = new VirtualCard(tap);
    leave();
  }, 60_000);
  afterAll(async () => {
    card?.close();
    await agent?.end('SIGKILL');
    await rental?.close();
  }, 30_000);

  test('status: networks and attachments as the agent tells them; all is well, so 0', async () => {
    await agent.until('the card in use', (status) => status.attachments[0]?.inUse === true);
    const { code, stdout, stderr } = await ctl('status');
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(lines[1]).toEqual([
      'tenant/guest',
      'Filtered',
      '203.0.113.10:51900',
      'True',
      'True',
      '1/1',
      'guest.yaml',
    ]);
    expect(lines[4]?.slice(0, 6)).toEqual([
      vm,
      'tenant/guest',
      tap,
      cast.guestAddress,
      'Enforced',
      '203.0.113.10:51900',
    ]);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('status: a broken manifest is a problem with its remedy, and the exit code 1', async () => {
    const file = join(rental.home.manifests, 'broken.yaml');
    writeFileSync(file, 'kind: VMNetwork\n');
    await agent.until('the problem', (status) => status.problems.length > 0);
    const { code, stdout } = await ctl('status');
    expect(code).toBe(1);
    expect(stdout).toContain('PROBLEMS');
    expect(stdout).toContain('broken.yaml');
    await rental.host.run(['rm', file]);
    await agent.until('no problem', (status) => status.problems.length === 0);
  });

  test('status --watch ends with 0 when interrupted', async () => {
    const words = [process.execPath, 'src/cli/main.ts', 'status', '--watch', '-o', 'json', ...paths()];
    const child = rental.host.spawn(words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await poll('two looks', () => said.split('\n').length > 2, { detail: () => said, deadlineMs: 20_000 });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    for (const line of said.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('agent.version');
  });

  test('drops: what the guest was refused, by reason, from the kernel', async () => {
    const elsewhere = fromGuest({ ...cast, endpoint: RentalLab.x });
    guestSends(fromGuest(cast), elsewhere, elsewhere);
    const { code, stdout } = await ctl('drops', vm, '-o', 'json');
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { drops: unknown[] }).drops).toContainEqual({
      vm,
      tap,
      direction: 'from-vm',
      reason: 'DestinationAddress',
      audited: false,
      packets: 2,
      bytes: 2 * elsewhere.length,
    });
    expect(stdout).not.toContain('"Allowed"');
    const all = await ctl('drops', '--all');
    expect(all.stdout).toMatch(new RegExp(`^${vm} +from-vm +Allowed +1 +${fromGuest(cast).length}$`, 'm'));
    expect(await ctl('drops', 'nobody')).toMatchObject({ code: 1, stdout: '' });
  });

  test('drops -f: events of the agent; counters once it is killed; events again when it is back', async () => {
    const elsewhere = fromGuest({ ...cast, endpoint: RentalLab.x });
    const words = [process.execPath, 'src/cli/main.ts', 'drops', '-f', vm, ...paths()];
    const child = rental.host.spawn(words, { cwd: ROOT, stdio: 'pipe' });
    let [said, notes] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (notes += text));
    const seen = (what: string, pattern: RegExp): Promise<unknown> =>
      poll(
        what,
        () => {
          guestSends(elsewhere);
          return pattern.test(said);
        },
        { everyMs: 200, deadlineMs: 20_000, detail: () => said + notes },
      );
    await seen('an event', /from-vm +DestinationAddress +.*192\.0\.2\.66:51900/);
    expect(notes).toBe('');
    await agent.end('SIGKILL');
    await seen('an increase', /from-vm +DestinationAddress +\d+ more frames, \d+ bytes/);
    expect(notes).toBe('vmnetctl: no agent answers: following the counters of the kernel\n');
    await startAgent();
    said = '';
    await seen('events again', /192\.0\.2\.66:51900/);
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
  });

  test('without an agent status reads the kernel back: enforced is enforced', async () => {
    await agent.end('SIGKILL');
    const { code, stdout, stderr } = await ctl('status', '-o', 'json');
    expect(code).toBe(3);
    expect(stderr).toContain('no agent answers');
    expect(JSON.parse(stdout)).toMatchObject({
      agent: null,
      attachments: [
        {
          vm,
          network: 'tenant/guest',
          tap,
          guestAddress: cast.guestAddress,
          state: 'Enforced',
          endpoint: '203.0.113.10:51900',
          inUse: true,
          message: '',
        },
      ],
    });
  });

  test('without the standing guard nothing counts as enforced, agent or no agent', async () => {
    await rental.host.run(['nft', 'flush', 'ruleset']);
    const { code, stdout } = await ctl('status', '-o', 'json');
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      attachments: [{ vm, state: 'Error', message: expect.stringContaining('table inet vmnetwork') }],
    });
  });

  test('a link that was detached behind our back is an error', async () => {
    await rental.host.run(['rm', join(rental.home.bpffs, tap, 'link_to_vm')]);
    const { code, stdout } = await ctl('status');
    expect(code).toBe(3);
    expect(stdout).toMatch(new RegExp(`${tap} .* Error .*the to-VM program is not attached`));
  });
});
