import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { removePins } from '../../src/native/bpffs.ts';
import { attachFilter } from '../../src/native/filter-engine.ts';
import { probe, type Probe } from '../../src/native/probe.ts';
import { executable } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import { startChild } from '../support/native/child.ts';
import { HeldTap } from '../support/native/held-tap.ts';

interface Outcome {
  value?: unknown;
  code?: string;
  message?: string;
  remedy?: string;
}

let held: HeldTap;
beforeAll(async () => {
  held = await HeldTap.open('privileges');
}, 30_000);
afterAll(async () => {
  if (held !== undefined) removePins(held.pinDir, { attachedToo: true });
  await held?.close();
}, 30_000);

/** What a call comes to in a process with these words before its command. */
async function outcome(call: string, wrap: string[]): Promise<Outcome> {
  const child = startChild(held.host, `say(caught(() => ${call}));`, wrap);
  const result = await child.next<Outcome>();
  await child.end();
  return result;
}

const without = (...capabilities: string[]): string[] => {
  const drop = capabilities.map((name) => `-${name}`).join(',');
  return ['setpriv', `--bounding-set=${drop}`, `--inh-caps=${drop}`];
};

describe('without the privilege', () => {
  const { test: testDropping } = requires(executable('setpriv'));

  testDropping(
    'to load programs, attaching names the capabilities, and leaves nothing',
    async () => {
      const call = `engine.attachFilter(${JSON.stringify(held.pinDir)}, ${String(held.ifindex)})`;
      const result = await outcome(call, without('bpf', 'sys_admin'));
      expect(result).toMatchObject({ code: 'VMN_CAPABILITY', remedy: expect.stringContaining('CAP_BPF') });
      expect(existsSync(held.pinDir)).toBe(false);
    },
    30_000,
  );

  testDropping(
    'to change the network, taps and links name it',
    async () => {
      const wrap = without('net_admin', 'sys_admin');
      for (const call of [
        `tap.createTap('vmn-x')`,
        `rtnetlink.setLink(${String(held.ifindex)}, { mtu: 1400 })`,
      ]) {
        expect(await outcome(call, wrap)).toMatchObject({
          code: 'VMN_CAPABILITY',
          remedy: expect.stringContaining('CAP_NET_ADMIN'),
        });
      }
    },
    30_000,
  );

  testDropping(
    'of an administrator, CAP_BPF and CAP_NET_ADMIN are enough to attach, change and read back',
    async () => {
      const dir = JSON.stringify(held.pinDir);
      const call = `(engine.attachFilter(${dir}, ${String(held.ifindex)}), engine.writePolicy(${dir}, null), engine.readBack(${dir}).policyState)`;
      // CAP_PERFMON: the filter reads fields of the kernel's own struct.
      expect(await outcome(call, without('sys_admin'))).toEqual({ value: 'empty' });
      removePins(held.pinDir, { attachedToo: true });
    },
    30_000,
  );
});

describe('the BPF file system', () => {
  test('that would be mounted in a private mount namespace is refused, for it would die with it', async () => {
    const wrap = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'while umount /sys/fs/bpf 2>/dev/null; do :; done; exec "$0" "$@"',
    ];
    const result = await outcome(`engine.ensureBpffs('/sys/fs/bpf/vmnet-private')`, wrap);
    expect(result).toMatchObject({
      code: 'VMN_BPFFS_PRIVATE',
      remedy: expect.stringContaining('mount namespace'),
    });
    expect(existsSync('/sys/fs/bpf/vmnet-private')).toBe(false);
  }, 30_000);

  test('that is mounted is used where it is', () => {
    expect(attachFilter(held.pinDir, held.ifindex).policyState).toBe('empty');
    removePins(held.pinDir, { attachedToo: true });
  });
});

describe('the probe', () => {
  test('finds everything here, since these tests run here', () => {
    const { qemu, ...rest } = probe();
    expect(qemu.detail).not.toBe('');
    for (const [what, finding] of Object.entries(rest))
      expect({ what, ...finding }).toMatchObject({ ok: true, remedy: '' });
  });

  requires(executable('setpriv')).test(
    'says what is missing and what to do, and nothing else',
    async () => {
      const wrap = [
        'setpriv',
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        '--bounding-set=-all',
        '--inh-caps=-all',
      ];
      const { value } = (await outcome('probe()', wrap)) as { value: Probe };
      for (const what of ['root', 'caps', 'bpf', 'tcx', 'filter'] as const) {
        expect({ what, ...value[what] }).toMatchObject({ ok: false, remedy: expect.stringMatching(/\w/) });
      }
      for (const what of ['kernel', 'native', 'btf'] as const)
        expect({ what, ...value[what] }).toMatchObject({ ok: true });
    },
    30_000,
  );
});
