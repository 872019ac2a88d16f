import { describe, expect, test } from '@jest/globals';
import { addon } from '../../../src/native/addon.ts';
import { decodeEvent, EVENT_BYTES, EVENT_KINDS, EVENT_LAYOUT } from '../../../src/native/events.ts';

const layout = addon().abiLayout();

/** Every field another value, so that none can stand in for another. */
function eventBytes(headBytes: number): Uint8Array {
  const bytes = new Uint8Array(EVENT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(EVENT_LAYOUT.time_ns, 0x0102030405060708n, true);
  view.setBigUint64(EVENT_LAYOUT.generation, 9n, true);
  view.setUint32(EVENT_LAYOUT.ifindex, 10, true);
  view.setUint32(EVENT_LAYOUT.frame_bytes, 1514, true);
  view.setUint16(EVENT_LAYOUT.head_bytes, headBytes, true);
  view.setUint8(EVENT_LAYOUT.direction, 1);
  view.setUint8(EVENT_LAYOUT.reason, 40);
  view.setUint8(EVENT_LAYOUT.kind, 1);
  view.setUint8(EVENT_LAYOUT.audited, 1);
  bytes.fill(0xab, EVENT_LAYOUT.head);
  return bytes;
}

describe('event layout', () => {
  test.each(Object.entries(EVENT_LAYOUT))(
    'vmn_event.%s stands where the compiler put it',
    (field, offset) => {
      expect(layout[`vmn_event.${field}`]).toBe(offset);
    },
  );

  test('sizes and directions are those of the header', () => {
    expect(layout).toMatchObject({
      vmn_event: EVENT_BYTES,
      VMN_EVENT_HEAD_BYTES: EVENT_BYTES - EVENT_LAYOUT.head,
      VMN_DIRECTION_FROM_VM: 0,
      VMN_DIRECTION_TO_VM: 1,
      VMN_EVENT_DROP: EVENT_KINDS.indexOf('drop'),
      VMN_EVENT_VIOLATIONS: EVENT_KINDS.indexOf('violations'),
    });
  });
});

describe('decoding an event', () => {
  test('gives each field its value', () => {
    const event = decodeEvent(eventBytes(42));
    expect(event).toMatchObject({
      kind: 'violations',
      audited: true,
      timeNs: 0x0102030405060708n,
      generation: 9n,
      ifindex: 10,
      frameBytes: 1514,
      direction: 'to-vm',
      reason: 40,
    });
    expect(event?.head.length).toBe(42);
  });

  test('of a frame that was dropped and told of by itself', () => {
    const bytes = eventBytes(1).with(EVENT_LAYOUT.kind, 0).with(EVENT_LAYOUT.audited, 0);
    expect(decodeEvent(bytes)).toMatchObject({ kind: 'drop', audited: false });
  });

  test('never reads past the head, whatever length is claimed', () => {
    expect(decodeEvent(eventBytes(65535))?.head.length).toBe(64);
  });

  test('bytes of another version are no event', () => {
    expect(decodeEvent(eventBytes(1).subarray(1))).toBeNull();
    expect(decodeEvent(eventBytes(1).with(EVENT_LAYOUT.kind, 2))).toBeNull();
  });
});
