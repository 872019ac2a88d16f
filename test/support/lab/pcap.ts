/**
 * The classic pcap file format, little or big endian, microseconds or nanoseconds: 24 bytes of file header, then for each
 * packet 16 bytes of header and the captured bytes (draft-ietf-opsawg-pcap). A record that is not complete yet ends the list.
 */
export function framesOfPcap(file: Uint8Array): Uint8Array[] {
  if (file.length < 24) return [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const littleEndian = [0xa1b2c3d4, 0xa1b23c4d].includes(view.getUint32(0, true));
  if (!littleEndian && ![0xa1b2c3d4, 0xa1b23c4d].includes(view.getUint32(0, false)))
    throw new Error('not a pcap file');
  const frames: Uint8Array[] = [];
  for (let at = 24; at + 16 <= file.length;) {
    const captured = view.getUint32(at + 8, littleEndian);
    const end = at + 16 + captured;
    if (end > file.length) break;
    frames.push(file.subarray(at + 16, end));
    at = end;
  }
  return frames;
}
