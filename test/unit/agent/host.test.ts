import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { nftProgram } from '../../../src/agent/host/nft.ts';
import { openedUplinksFile } from '../../../src/agent/wiring/opened-uplinks.ts';
import { parseProcRoutes } from '../../../src/agent/host/proc-routes.ts';

describe("the host's routes", () => {
  const text = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun9	00004064	00000000	0001	0	0	0	0000C0FF	0	0	0
vmn-0123456789	05004064	00000000	0001	0	0	0	FFFFFFFF	0	0	0
`;

  test('are read from /proc/net/route in the byte order of the machine', () => {
    const expected = [
      { device: 'eth0', destination: '0.0.0.0', prefixLength: 0 },
      { device: 'eth0', destination: '192.0.2.0', prefixLength: 24 },
      { device: 'tun9', destination: '100.64.0.0', prefixLength: 10 },
      { device: 'vmn-0123456789', destination: '100.64.0.5', prefixLength: 32 },
    ];
    expect(parseProcRoutes(text)).toEqual(expected);
    const swapped = text.replace(/\b[0-9A-F]{8}\b/g, (word) => (word.match(/../g) ?? []).reverse().join(''));
    expect(parseProcRoutes(swapped, false)).toEqual(expected);
    expect(parseProcRoutes('')).toEqual([]);
  });
});

describe('the nft program', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vmn-nft-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function fake(script: string): ReturnType<typeof nftProgram> {
    const path = join(dir, 'nft');
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return nftProgram(path);
  }

  test('missing is said so', async () => {
    await expect(nftProgram(join(dir, 'none')).listTable('t', 'inet')).rejects.toMatchObject({
      code: 'VMN_NFT_MISSING',
    });
  });

  test('a table that does not exist is no error', async () => {
    expect(
      await fake('echo "Error: No such file or directory" >&2; exit 1').listTable('t', 'inet'),
    ).toBeNull();
  });

  test('any other refusal is an error with its first line', async () => {
    const nft = fake('printf "\\nError: Operation not permitted\\nmore\\n" >&2; exit 1');
    await expect(nft.listTable('t', 'inet')).rejects.toMatchObject({ code: 'VMN_NFT_FAILED' });
    await expect(nft.listTable('t', 'inet')).rejects.toThrow(/Operation not permitted$/);
    await expect(nft.apply([])).rejects.toMatchObject({ code: 'VMN_NFT_FAILED' });
  });

  test('an answer that is no JSON is an error', async () => {
    await expect(fake('echo table').listTable('t', 'inet')).rejects.toMatchObject({ code: 'VMN_NFT_FAILED' });
  });

  test('commands go in as one JSON document, in arguments that nft joins', async () => {
    const seen = join(dir, 'seen');
    await fake(`printf '%s|' "$@" > ${seen}`).apply([{ add: { table: { family: 'inet', name: 'a b' } } }]);
    expect(existsSync(seen)).toBe(true);
    expect(await fake(`cat ${seen} >&2; exit 1`).apply([]).catch(String)).toContain(
      '-j|{"nftables":[|{"add":{"table":{"family":"inet","name":"a b"}}}|]}|',
    );
  });
});

describe('the opened uplinks on disk', () => {
  let path: string;
  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), 'vmn-uplinks-')), 'state', 'opened-uplinks.json');
  });
  afterEach(() => rmSync(dirname(dirname(path)), { recursive: true }));

  test('are kept for this boot only, and with none no file is left', () => {
    let boot = 'first';
    const uplinks = openedUplinksFile(path, () => boot);
    expect(uplinks.read()).toEqual([]);
    uplinks.write(['eth0', 'eth1']);
    expect(uplinks.read()).toEqual(['eth0', 'eth1']);
    boot = 'second';
    expect(uplinks.read()).toEqual([]);
    uplinks.write([]);
    uplinks.write([]);
    expect(existsSync(path)).toBe(false);
  });

  test('damaged are an error with a remedy, not none', () => {
    const uplinks = openedUplinksFile(path, () => 'boot');
    uplinks.write(['eth0']);
    writeFileSync(path, '{"bootId":"boot"');
    expect(() => uplinks.read()).toThrow(
      expect.objectContaining({ code: 'VMN_STATE_UNREADABLE', remedy: expect.stringContaining('by hand') }),
    );
  });
});
