/**
 * What no input can reach, and why: lines and branches of native/include/vmn that are there for another compiler, another
 * engine, or out of caution. Named by the text of the line, so that moving it does not matter and changing it does.
 */
export interface Unreachable {
  readonly file: string;
  readonly text: string;
  readonly why: string;
}

export const UNREACHABLE: readonly Unreachable[] = [
  {
    file: 'bytes.h',
    text: 'return data_end >= data &&',
    why: 'nobody has a frame that ends before it begins; the comparison keeps the subtraction from wrapping if someone did',
  },
  {
    file: 'direct.h',
    text: 'if (more <= count && more <= VMN_DENIED_MAX && policy->denied[more - 1].first <= address)',
    why: 'a policy of more ranges than there is room for is refused before; the bound is what the verifier sees',
  },
  {
    file: 'destination.h',
    text: '!vmn_load_far32(whole, offset, &head)',
    why: 'segments are read after the geometry rule: they end within the frame; in the kernel the read may fail',
  },
  {
    file: 'flow.h',
    text: 'return fingerprint ? fingerprint : 1;',
    why: 'a flow whose SipHash is 0: one of 2^64, and nobody knows how to make one',
  },
  {
    file: 'parse.h',
    text: 'if (payload_bytes < VMN_TCP_BYTES || !vmn_holds(',
    why: 'TCP is only read of whole frames, whose total length was checked before',
  },
  {
    file: 'verdict.h',
    text: 'if (!vmn_is_super_frame(meta) || !vmn_segment_bytes(meta) ||',
    why: 'only what passes is charged, and a super-frame that passes has segments and a payload',
  },
  {
    file: 'report.h',
    text: 'if (told->fingerprint == fingerprint && told->second &&',
    why: 'a frame whose fingerprint is 0, in a slot that was never used: one of 2^32',
  },
];
