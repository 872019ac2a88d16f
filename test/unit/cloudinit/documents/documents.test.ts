import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { parseGuest } from '../../../../src/cloudinit/documents/guest.ts';
import { guestFiles } from '../../../../src/cloudinit/documents/guest-files/all.ts';
import { instanceId } from '../../../../src/cloudinit/documents/meta-data.ts';
import { seedDocuments } from '../../../../src/cloudinit/documents/seed-documents.ts';
import {
  anyGuest,
  ENDPOINT,
  exampleGuest,
  GATEWAY,
  guestInput,
  hostileText,
  MAC,
  newKey,
  PRIVATE_KEY,
} from '../../../support/cloud-init/guests.ts';

const NONE = { delivery: 'VendorData', userData: new Uint8Array() } as const;

/** The document as YAML 1.1 has it, which is what cloud-init reads. */
function read(document: string | Uint8Array | undefined): Record<string, unknown> {
  return parse(String(document), { version: '1.1' }) as Record<string, unknown>;
}

describe('what a guest is described by', () => {
  test('is refused or is what it was, whatever text stands where a name, key or address is expected', () => {
    const change = fc.tuple(
      hostileText,
      fc.constantFrom('vmName', 'instance', 'mac', 'address', 'privateKey', 'dns'),
    );
    fc.assert(
      fc.property(change, ([text, where]) => {
        const { card, tunnel } = guestInput();
        const input = guestInput({
          ...(where === 'vmName' || where === 'instance' ? { [where]: text } : {}),
          card: where === 'mac' || where === 'address' ? { ...card, [where]: text } : card,
          tunnel: {
            ...tunnel,
            ...(where === 'privateKey' ? { privateKey: text } : {}),
            dns: where === 'dns' ? [text] : [],
          },
        });
        // Each of them is one word of letters, digits and a few signs that no language here gives a meaning.
        const harmless = /^[-A-Za-z0-9_.:+@/=]+$/.test(text);
        if (!harmless) expect(() => parseGuest(input)).toThrow();
      }),
      { numRuns: 500 },
    );
  });

  test('does not come back in what is said of a wrong one', () => {
    const secret = `${newKey()}x`;
    const input = guestInput({ tunnel: { ...guestInput().tunnel, privateKey: secret } });
    expect(() => parseGuest(input)).toThrow(/privateKey/);
    expect(() => parseGuest(input)).not.toThrow(secret.slice(0, 20));
  });
});

describe('the documents of a guest', () => {
  test('say what was meant when they are read again, for any guest', () => {
    fc.assert(
      fc.property(anyGuest, (input) => {
        const guest = parseGuest(input);
        const documents = seedDocuments(guest, NONE);
        const name = /^(?=.{1,64}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(
          input.vmName,
        );
        expect(read(documents.metaData)).toEqual({
          'instance-id': instanceId(guest),
          dsmode: 'local',
          ...(name ? { 'local-hostname': input.vmName } : {}),
        });
        const { ethernets } = read(documents.networkConfig) as { ethernets: Record<string, unknown> };
        expect(Object.values(ethernets)).toMatchObject([
          {
            match: { macaddress: input.card.mac },
            addresses: [`${input.card.address}/32`],
            mtu: input.card.mtu,
          },
        ]);
        const placed = (read(documents.vendorData)['bootcmd'] as unknown[]).filter((entry) =>
          Array.isArray(entry),
        );
        expect(placed).toEqual(
          guestFiles(guest).map(({ path, mode, content }) => ['vmnet_place', path, mode, content]),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('bring the card up with one address, the gateway on the link, and nothing that sends by itself', () => {
    expect(read(seedDocuments(exampleGuest(), NONE).networkConfig)).toEqual({
      version: 2,
      ethernets: {
        vmnet0: {
          match: { macaddress: MAC },
          'set-name': 'vmnet0',
          dhcp4: false,
          dhcp6: false,
          'accept-ra': false,
          'link-local': [],
          mtu: 1500,
          addresses: ['100.64.0.5/32'],
          routes: [{ to: '0.0.0.0/0', via: GATEWAY, 'on-link': true }],
        },
      },
    });
  });

  test('set no password, make no user and let nobody in', () => {
    const asked = Object.keys(read(seedDocuments(exampleGuest(), NONE).vendorData));
    expect(asked.sort()).toEqual(['bootcmd', 'merge_how', 'merge_type']);
  });

  test('are the same bytes for the same guest', () => {
    expect(seedDocuments(exampleGuest(), NONE)).toEqual(seedDocuments(exampleGuest(), NONE));
  });
});

describe('the instance id', () => {
  const { card, tunnel } = guestInput();

  test('stays when keys, endpoint or tunnel change: they are written at every boot', () => {
    const changes = [
      { endpoint: { ...ENDPOINT, port: 1 } },
      { tunnel: { ...tunnel, privateKey: newKey(), presharedKey: newKey(), mtu: 1300, dns: [] } },
    ];
    for (const change of changes) expect(instanceId(exampleGuest(change))).toBe(instanceId(exampleGuest()));
  });

  test('changes with another VM, and with what cloud-init reads for a new one only', () => {
    const changes = [
      { vmName: 'another' },
      { instance: 'another' },
      { card: { ...card, mac: '02:76:1f:00:a2:4e' } },
      { card: { ...card, address: '100.64.0.6' } },
      { card: { ...card, mtu: 1400 } },
    ];
    const ids = [{}, ...changes].map((change) => instanceId(exampleGuest(change)));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('tells nothing of the keys', () => {
    const { metaData, networkConfig } = seedDocuments(exampleGuest(), NONE);
    expect(`${String(metaData)}${String(networkConfig)}`).not.toContain(PRIVATE_KEY);
  });
});
