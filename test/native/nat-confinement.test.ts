import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { fromGuest } from '../support/frames/cast.ts';
import { withBed } from '../support/nat/bed.ts';
import { Engine } from '../support/nat/engine.ts';

const FORBIDDEN = [
  ...['tcp-socket', 'raw-socket', 'icmp-socket', 'unix-socket', 'ipv6-socket', 'netlink-socket', 'bind'],
  ...[
    'open',
    'execute',
    'clone',
    'map',
    'protect',
    'trace',
    'signal-others',
    'read-others',
    'mount',
    'unshare',
  ],
  ...['become-root', 'bpf', 'io-uring', 'privileges'],
];

async function endOf(call: string): Promise<number | string> {
  const engine = new Engine({ program: 'vmn_nat_forbidden', args: ['--forbidden', call] });
  try {
    return await engine.end();
  } finally {
    await engine.stop();
  }
}

describe('what vmn-nat is left with', () => {
  test('seccomp, no capabilities and no way to any, while it serves', async () => {
    await withBed(async ({ engine, guest, cast }) => {
      guest.send(fromGuest(cast));
      await guest.frame();
      const status = readFileSync(engine.proc('status'), 'utf8');
      const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
      expect(field('Seccomp')).toBe('2');
      expect(field('NoNewPrivs')).toBe('1');
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(field(set)).toMatch(/^0+$/);
      expect(field('Threads')).toBe('1');
      const limits = readFileSync(engine.proc('limits'), 'utf8');
      expect(limits).toMatch(/Max open files\s+76\s+76/);
      expect(limits).toMatch(/Max core file size\s+0\s+0/);
    });
  });

  test('a call that it needs does not end it', async () => {
    expect(await endOf('udp-socket')).toBe(42);
  });

  for (const call of FORBIDDEN) {
    test(`a forbidden call ends it: ${call}`, async () => {
      expect(await endOf(call)).toBe('SIGSYS');
    });
  }
});
