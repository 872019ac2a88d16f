import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { parseGuest } from '../../../../src/cloudinit/documents/guest.ts';
import { guestFiles } from '../../../../src/cloudinit/documents/guest-files/all.ts';
import { seedDocuments } from '../../../../src/cloudinit/documents/seed-documents.ts';
import { CloudInit } from '../../../support/cloud-init/cloud-init.ts';
import { anyGuest, exampleGuest, MAC } from '../../../support/cloud-init/guests.ts';
import { requires } from '../../../support/skip.ts';

const { asked, there } = await CloudInit.find();
const { test: declare, describe } = requires(there);
/** Each starts Python, for which a busy machine takes its time. */
const test = (title: string, body: () => Promise<void>): void => declare(title, body, 120_000);

/** A tenant who uses each of the lists that ours could take the place of, and who says how it is to be merged. */
const TENANTS = `#cloud-config
hostname: mine
merge_how: 'list(append)+dict(no_replace,recurse_list)+str()'
users: [default, {name: tenant, ssh_authorized_keys: [ssh-ed25519 AAAA]}]
bootcmd: [echo first, [echo, "it's mine"]]
write_files: [{path: /srv/mine, content: mine}]
runcmd: [echo last]
`;

const SCRIPT = '#!/bin/sh\necho tenant\n';
const MIME = `Content-Type: multipart/mixed; boundary="theirs"
MIME-Version: 1.0

--theirs
Content-Type: text/cloud-config

#cloud-config
runcmd: [echo last]
--theirs
Content-Type: text/x-shellscript; charset="utf-8"
Content-Disposition: attachment; filename="mine.sh"

${SCRIPT}
--theirs--
`;

describe('cloud-init itself', () => {
  const documentsWith = (delivery: 'VendorData' | 'UserData', userData: string | Uint8Array) =>
    seedDocuments(exampleGuest(), { delivery, userData: Buffer.from(userData) });
  const ours = (config: Record<string, unknown>): unknown[] => {
    const { bootcmd } = parse(String(documentsWith('VendorData', '').vendorData)) as { bootcmd: unknown[] };
    return (config['bootcmd'] as unknown[]).slice(0, bootcmd.length).map((entry, at) => {
      expect(entry).toEqual(bootcmd[at]);
      return entry;
    });
  };

  test('[CI-1] finds the documents valid, and reads in them what was meant', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmnet-schema-'));
    try {
      const { vendorData } = documentsWith('VendorData', TENANTS);
      const wrong = String(vendorData).replace('bootcmd:', 'bootcmd: 7\nother:');
      const judged = [String(vendorData), TENANTS, wrong].map((text, at) => {
        const path = join(folder, String(at));
        writeFileSync(path, text);
        return asked.schema(path);
      });
      const valid = { code: 0, stdout: expect.stringContaining('Valid') };
      expect(await Promise.all(judged)).toMatchObject([valid, valid, { code: 1 }]);
    } finally {
      rmSync(folder, { recursive: true });
    }
    // Its own reader (YAML 1.1) sees what ours sees, for names, addresses and keys of every look.
    const guests = fc.sample(anyGuest, { numRuns: 60, seed: 7 }).map(parseGuest);
    const texts = guests.flatMap((guest, at) => {
      const { metaData, networkConfig, vendorData } = seedDocuments(guest, {
        delivery: 'VendorData',
        userData: Buffer.of(),
      });
      // The long one of a few guests only: its reader is slow.
      return [metaData, networkConfig, ...(at < 6 ? [vendorData] : [])].map(String);
    });
    const seen = await asked.readYaml(texts);
    expect(seen).toEqual(texts.map((text) => parse(text, { version: '1.1' }) as unknown));
    expect(seen[1]).toMatchObject({ ethernets: { vmnet0: { match: { macaddress: guests[0]!.card.mac } } } });
  });

  test('[CI-6] keeps all that the tenant asks for, and gets all of ours besides, whichever way it comes', async () => {
    const theirs = parse(TENANTS) as Record<string, unknown>;
    const [byVendorData, byUserData] = await asked.consume(
      documentsWith('VendorData', TENANTS),
      documentsWith('UserData', TENANTS),
    );
    for (const { config, warnings } of [byVendorData!, byUserData!]) {
      for (const key of ['hostname', 'users', 'write_files', 'runcmd'])
        expect(config[key]).toEqual(theirs[key]);
      expect((config['bootcmd'] as unknown[]).slice(ours(config).length)).toEqual(theirs['bootcmd']);
      expect(warnings).toEqual([]);
    }
    expect(Buffer.from(byVendorData!.userDataBase64, 'base64').toString()).toBe(TENANTS);
  });

  test('takes scripts, MIME and packed user-data out of the merged document as if they had come alone', async () => {
    const cases = [
      { given: SCRIPT, part: 'part-001' },
      { given: MIME, part: 'mine.sh' },
      { given: gzipSync(SCRIPT), part: 'part-001' },
      { given: gzipSync(MIME), part: 'mine.sh' },
    ];
    const alone = await asked.consume(
      ...cases.map(({ given }) => ({ ...documentsWith('VendorData', given), vendorData: '' })),
    );
    const merged = await asked.consume(...cases.map(({ given }) => documentsWith('UserData', given)));
    for (const [at, { part }] of cases.entries()) {
      expect(alone[at]!.scripts[part]?.trim()).toBe(SCRIPT.trim());
      expect(merged[at]!.scripts).toEqual(alone[at]!.scripts);
      expect(merged[at]!.config['runcmd']).toEqual(alone[at]!.config['runcmd']);
      ours(merged[at]!.config);
    }
  });

  test('runs ours before the network, before anything else, and without quoting of ours', async () => {
    const [seen] = await asked.consume(documentsWith('VendorData', ''));
    const { dsmode, bootScript } = seen!;
    expect(dsmode).toBe('local');
    expect(bootScript.startsWith('#!/bin/sh\nvmnet_failed=')).toBe(true);
    expect(bootScript.match(/^'vmnet_place' /gm)).toHaveLength(guestFiles(exampleGuest()).length);
  });

  test('renders the network for each manager with the address, the gateway and no DHCP', async () => {
    const documents = documentsWith('VendorData', '');
    const managers = ['networkd', 'netplan', 'eni', 'network-manager'];
    const files = await asked.render(documents, MAC, managers);
    expect(files).toHaveLength(managers.length);
    for (const rendered of files.map((byPath) => Object.values(byPath).join(''))) {
      expect(rendered).toContain('100.64.0.5/32');
      expect(rendered).toContain('169.254.1.1');
      expect(rendered).toContain('vmnet0');
      expect(rendered).not.toMatch(/dhcp.*(true|yes)|inet6? dhcp|method=auto/i);
    }
  });
});
