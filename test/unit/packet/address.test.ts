import { expect, test } from '@jest/globals';
import { Ipv4Address } from '../../../src/packet/ipv4-address.ts';
import { MacAddress } from '../../../src/packet/mac-address.ts';
import { address, mac } from '../../support/frames-generator/policy.ts';

test.each([
  ['ff:ff:ff:ff:ff:ff', true, true],
  ['ff:ff:ff:ff:ff:fe', true, false],
  ['01:00:00:00:00:00', true, false],
  ['33:33:00:00:00:01', true, false],
  ['fe:ff:ff:ff:ff:ff', false, false],
  ['00:00:00:00:00:00', false, false],
  ['02:76:6d:6e:00:01', false, false],
])('MAC %s: group %s, broadcast %s', (text, isGroup, isBroadcast) => {
  expect(mac(text)).toMatchObject({ isGroup, isBroadcast });
  expect(mac(text).toString()).toBe(text);
  expect(MacAddress.at(mac(text).serialise(), 0).equals(mac(text))).toBe(true);
});

test('every bit of an address counts', () => {
  for (let bit = 0; bit < 48; bit += 1) {
    const bytes = new Uint8Array(6);
    bytes[bit >>> 3] = 0x80 >>> (bit & 7);
    expect(MacAddress.at(bytes, 0).equals(mac('00:00:00:00:00:00'))).toBe(false);
    expect(MacAddress.at(bytes, 0).serialise()).toEqual(bytes);
    if (bit < 32) expect(Ipv4Address.at(bytes, 0).equals(address('0.0.0.0'))).toBe(false);
  }
});

test.each([
  '',
  '02:76:6d:6e:00',
  '02:76:6d:6e:00:01:02',
  '02-76-6d-6e-00-01',
  '2:76:6d:6e:0:1',
  '02:76:6d:6e:00:0g',
])('no MAC: %j', (text) => expect(MacAddress.fromText(text)).toBeNull());

test.each(['', '1.2.3', '010.0.0.1', '1.2.3.256', '1.2.3.4.5', ' 1.2.3.4', '1.2.3.4\n', '0x1.2.3.4', '::1'])(
  'no IPv4 address: %j',
  (text) => expect(Ipv4Address.fromText(text)).toBeNull(),
);

test('numbers and text of an address', () => {
  expect(address('0.0.0.1').value).toBe(1);
  expect(address('255.255.255.255').value).toBe(0xffff_ffff);
  expect(Ipv4Address.fromNumber(0xcb00_710a).toString()).toBe('203.0.113.10');
  expect(() => Ipv4Address.fromNumber(-1)).toThrow(RangeError);
  expect(() => Ipv4Address.fromNumber(2 ** 32)).toThrow(RangeError);
});
