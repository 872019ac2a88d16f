/** The addresses of the story; documentation ranges (RFC 5737) where there are any. Everything lives in namespaces. */
export const PLACES = {
  consumer: { address: '203.0.113.10', port: 51900 },
  secondConsumer: { address: '203.0.113.20', port: 51901 },
  internet: '198.51.100.1',
  nameServer: '8.8.8.8',
  /** The host's own address on its uplink, and what the internet sees of it. */
  host: '192.0.2.2',
  router: '192.0.2.1',
  hostOnLan: '192.168.77.1',
  lanNeighbour: '192.168.77.20',
  metadata: '169.254.169.254',
  hostOnMetadata: '169.254.169.1',
} as const;

export const VM = 'rental-7f3a';
export const OTHER_VM = 'rental-9c21';
