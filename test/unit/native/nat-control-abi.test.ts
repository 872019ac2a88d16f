import { describe, expect, test } from '@jest/globals';
import { addon } from '../../../src/native/addon.ts';
import {
  CONTROL_MAGIC,
  CONTROL_VERSION,
  COUNTERS_BYTES,
  decodeCounters,
  decodeHead,
  decodeStatus,
  encodeRequest,
  ENGINE_COUNTS_OFFSET,
  encodeSetPolicy,
  HEAD_BYTES,
  HEAD_LAYOUT,
  STATUS_BYTES,
  STATUS_LAYOUT,
} from '../../../src/native/nat-control-abi.ts';
import { POLICY_BYTES } from '../../../src/native/policy-abi.ts';

const layout = addon().abiLayout();

describe('what is spoken with vmn-nat', () => {
  for (const [struct, fields] of Object.entries({
    vmn_nat_head: HEAD_LAYOUT,
    vmn_nat_status: STATUS_LAYOUT,
  })) {
    for (const [field, offset] of Object.entries(fields)) {
      test(`${struct}.${field} stands where the compiler puts it`, () => {
        expect(layout[`${struct}.${field}`]).toBe(offset);
      });
    }
  }

  test('sizes and numbers are those of the header', () => {
    expect(layout).toMatchObject({
      vmn_nat_head: HEAD_BYTES,
      vmn_nat_status: STATUS_BYTES,
      vmn_nat_set_policy: 8 + POLICY_BYTES,
      vmn_nat_counters: COUNTERS_BYTES,
      'vmn_nat_counters.engine': ENGINE_COUNTS_OFFSET,
      VMN_NAT_CONTROL_MAGIC: CONTROL_MAGIC,
      VMN_NAT_CONTROL_VERSION: CONTROL_VERSION,
    });
  });

  test('a head of another magic, version or of a body that no answer has is none', () => {
    const head = encodeRequest(3, 7, new Uint8Array(5));
    expect(decodeHead(head)).toEqual({ operation: 3, sequence: 7, status: 0, bodyBytes: 5 });
    for (const [at, value] of [
      [HEAD_LAYOUT.magic, 0],
      [HEAD_LAYOUT.version, CONTROL_VERSION + 1],
      [HEAD_LAYOUT.body_bytes + 2, 1],
    ] as const) {
      const other = Uint8Array.from(head);
      other[at] = value;
      expect(decodeHead(other)).toBeNull();
    }
  });

  test('bodies of other sizes are none, and no policy is sent that has not the size of one', () => {
    expect(decodeStatus(new Uint8Array(STATUS_BYTES - 1))).toBeNull();
    expect(decodeCounters(new Uint8Array(COUNTERS_BYTES + 1))).toBeNull();
    expect(() => encodeSetPolicy(new Uint8Array(POLICY_BYTES - 8))).toThrow('a policy has');
  });
});
