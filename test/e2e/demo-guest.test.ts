import { afterAll, beforeAll, expect } from '@jest/globals';
import { attempts } from '../../demo/scenario/attempts.ts';
import { trySuccessfully, trySuccessfullyInbound } from '../../demo/scenario/control.ts';
import { inboundAttempts } from '../../demo/scenario/inbound.ts';
import { Ledger, type Line } from '../../demo/scenario/ledger.ts';
import { SILENT } from '../../demo/scenario/narrator.ts';
import { STEPS, tellStory } from '../../demo/scenario/story.ts';
import { bootUnguarded, TAP, UNGUARDED } from '../../demo/scenario/unguarded.ts';
import { World } from '../../demo/scenario/world.ts';
import { ensureImage } from '../support/guest/index.ts';
import { Lab } from '../support/lab/index.ts';
import { executable, file, kernel, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/** Cold caches: a kernel package to download, a probe to compile, then three guests to boot under emulation. */
const STORY_TIMEOUT_MS = 240_000;

const needs = [
  root,
  kernel(6, 6),
  executable('qemu-system-x86_64'),
  executable('tcpdump'),
  file('/dev/net/tun', 'modprobe tun'),
];
const { describe, test } = requires(...needs);

function outOfLine(lines: readonly Line[]): string[] {
  return lines
    .filter((line) => line.faults.length > 0)
    .map((line) => `${line.step}, ${line.attempt}: ${line.faults.join('; ')}`);
}

describe("[E2E-4] the demo's story with a real guest", () => {
  const ledger = new Ledger();
  let failure: Error | null = null;

  beforeAll(async () => {
    const image = await ensureImage();
    const lab = await Lab.create('story');
    try {
      await tellStory({ lab, image, ledger, narrator: SILENT });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error)); // every test below then says so, with the lines that there are
    } finally {
      await lab.close();
    }
  }, STORY_TIMEOUT_MS);

  const steps: [step: string, title: string, atLeast: number][] = [
    [STEPS.born, '[E2E-4] a VM that boots before any agent reaches nothing', 1],
    [
      STEPS.enforced,
      '[E2E-4] root in the guest reaches the consumer and nothing else, every drop counted by its reason',
      60,
    ],
    [STEPS.killed, '[E2E-4] the same with the agent killed by SIGKILL', 60],
    [STEPS.adopted, '[E2E-4] a new agent adopts the links that it finds', 2],
    [STEPS.moved, '[E2E-4] the endpoint moves: the new one answers, the old one is refused', 3],
    [STEPS.removed, '[E2E-4] without a spec nothing passes, and the other VM is not concerned', 20],
  ];
  for (const [step, title, atLeast] of steps) {
    test(title, () => {
      expectInLine((line) => line.step === step, atLeast);
    });
  }

  const bypasses: [group: string, title: string, atLeast: number][] = [
    ['Spoofing', '[SB-1] a real guest spoofs addresses and ARP in vain', 10],
    [
      'Malformed',
      '[SB-2] [SB-3] [SB-8] a real guest sends fragments, IP options and what is not WireGuard in vain',
      15,
    ],
    ['Other than IPv4', '[SB-4] [SB-6] a real guest sends VLAN tags, odd EtherTypes and IPv6 in vain', 12],
    ['Multicast and broadcast', '[SB-7] a real guest sends multicast, broadcast and DHCP in vain', 5],
    ['Inbound', '[SB-10] nothing that its consumer did not send reaches a real guest', 10],
  ];
  for (const [group, title, atLeast] of bypasses) {
    test(title, () => {
      // With the agent and without it.
      expectInLine((line) => line.attempt.startsWith(group), 2 * atLeast);
    });
  }

  function expectInLine(which: (line: Line) => boolean, atLeast: number): void {
    if (failure !== null) throw failure;
    const lines = ledger.lines.filter(which);
    expect(outOfLine(lines)).toEqual([]);
    expect(lines.length).toBeGreaterThanOrEqual(atLeast);
  }
});

describe('control: the same guest behind a plain routed tap', () => {
  const lines: Line[] = [];
  let lab: Lab;

  beforeAll(async () => {
    const image = await ensureImage();
    lab = await Lab.create('control');
    const world = await World.build(lab);
    const guest = await bootUnguarded(image, world);
    for (const attempt of attempts(UNGUARDED)) lines.push(await trySuccessfully(attempt, guest, world));
    for (const attempt of inboundAttempts(UNGUARDED).filter(({ reachesUnguarded }) => reachesUnguarded)) {
      lines.push(await trySuccessfullyInbound(attempt, TAP, guest, world));
    }
  }, STORY_TIMEOUT_MS);
  afterAll(async () => {
    await lab.close();
  });

  test('every attempt of E2E-4 is real: it arrives where nothing stops it, and is seen there', () => {
    expect(outOfLine(lines)).toEqual([]);
    expect(lines.length).toBeGreaterThan(60);
  });
});
