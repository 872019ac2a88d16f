import type { VmNetworkSpecInput } from '../../../src/api/v1alpha1/index.ts';

// Long because it is one table: each row is a field, a bad value and what the message must say.

/** A spec that is right and short; the cases change one thing each. */
export const GOOD_SPEC = {
  consumerEndpoint: { address: '203.0.113.10', port: 51900 },
  selector: { names: ['rental-7f3a'] },
} satisfies VmNetworkSpecInput;

export const KEY = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';

export interface BadSpec {
  readonly title: string;
  /** Replaces fields of {@link GOOD_SPEC}; undefined removes one. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly field: string;
  readonly message: RegExp;
  readonly remedy: RegExp;
}

const endpoint = (address: unknown, port: unknown = 51900) => ({ consumerEndpoint: { address, port } });
const address = (text: unknown): Omit<BadSpec, 'title'> => ({
  spec: endpoint(text),
  field: 'spec.consumerEndpoint.address',
  message: /must be an IPv4 address/,
  remedy: /for example 203\.0\.113\.10/,
});
const range = (text: string, name: RegExp): BadSpec => ({
  title: `endpoint address ${text}`,
  spec: endpoint(text),
  field: 'spec.consumerEndpoint.address',
  message: name,
  remedy: /Give the address at which/,
});
const port = (value: unknown, message: RegExp, remedy = /Example: port: 51900/): BadSpec => ({
  title: `port ${JSON.stringify(value)}`,
  spec: endpoint('203.0.113.10', value),
  field: 'spec.consumerEndpoint.port',
  message,
  remedy,
});
const without = (mode: string): BadSpec => ({
  title: `${mode} without consumerEndpoint`,
  spec: { mode, consumerEndpoint: undefined },
  field: 'spec.consumerEndpoint',
  message: /^is required in modes/,
  remedy: /Add consumerEndpoint/,
});

/** Every way to be wrong, one a row. */
export const BAD_SPECS: readonly BadSpec[] = [
  ...[
    '010.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.04',
    '0x7f.0.0.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '１.2.3.4',
  ].map((text) => ({ title: `endpoint address ${JSON.stringify(text)}`, ...address(text) })),
  ...[
    '',
    '2130706433',
    '::1',
    '::ffff:1.2.3.4',
    'localhost',
    '1.2.3.4:80',
    '1.2.3.4/32',
    '-1.2.3.4',
    '1..2.3',
  ].map((text) => ({
    title: `endpoint address ${JSON.stringify(text)}`,
    ...address(text),
  })),
  {
    title: 'endpoint address of the wrong type',
    ...address(16909060),
    message: /must be text/,
    remedy: /quotes/,
  },
  range('0.0.0.0', /0\.0\.0\.0\/8/),
  range('0.1.2.3', /0\.0\.0\.0\/8/),
  range('127.0.0.1', /loopback/),
  range('169.254.169.254', /link-local/),
  range('224.0.0.1', /multicast/),
  range('239.255.255.250', /multicast/),
  range('240.0.0.1', /reserved/),
  range('255.255.255.255', /broadcast/),
  port(0, /at least 1/),
  port(65536, /at most 65535/),
  port(-1, /at least 1/),
  port(51900.5, /whole number/),
  port('51900', /number, not text/, /without quotes: 51900/),
  port(null, /number, not empty/, /Remove the field/),
  port(true, /number, not true or false/),
  without('Filtered'),
  without('Conntrack'),
  without('Sampled'),
  { ...without('Filtered'), title: 'no mode and no consumerEndpoint', spec: { consumerEndpoint: undefined } },
  {
    title: 'endpoint without a port',
    spec: { consumerEndpoint: { address: '203.0.113.10' } },
    field: 'spec.consumerEndpoint.port',
    message: /is required/,
    remedy: /port: 51900/,
  },
  {
    title: 'endpoint that is text',
    spec: { consumerEndpoint: '203.0.113.10:51900' },
    field: 'spec.consumerEndpoint',
    message: /must be a mapping, not text/,
    remedy: /"address":"203\.0\.113\.10"/,
  },
  {
    title: 'mode in lower case',
    spec: { mode: 'filtered' },
    field: 'spec.mode',
    message: /must be one of Direct, Sampled, Conntrack, Filtered/,
    remedy: /Did you mean Filtered/,
  },
  {
    title: 'sampling without mode Sampled',
    spec: { sampling: { ratePerMillion: 5 } },
    field: 'spec.sampling',
    message: /only valid with mode Sampled/,
    remedy: /mode: Sampled/,
  },
  {
    title: 'sampling rate 0',
    spec: { mode: 'Sampled', sampling: { ratePerMillion: 0 } },
    field: 'spec.sampling.ratePerMillion',
    message: /at least 1/,
    remedy: /1 to 1000000/,
  },
  {
    title: 'sampling rate above all packets',
    spec: { mode: 'Sampled', sampling: { ratePerMillion: 1_000_001 } },
    field: 'spec.sampling.ratePerMillion',
    message: /at most 1000000/,
    remedy: /1 to 1000000/,
  },
  {
    title: 'no selector',
    spec: { selector: undefined },
    field: 'spec.selector',
    message: /is required/,
    remedy: /names/,
  },
  {
    title: 'a selector that selects nothing',
    spec: { selector: {} },
    field: 'spec.selector',
    message: /must select a VM/,
    remedy: /names: \[rental-7f3a\]/,
  },
  {
    title: 'a selector by node alone',
    spec: { selector: { nodeName: 'node-3' } },
    field: 'spec.selector',
    message: /must select a VM/,
    remedy: /names/,
  },
  {
    title: 'a VM named twice',
    spec: { selector: { names: ['a', 'a'] } },
    field: 'spec.selector.names',
    message: /same value twice/,
    remedy: /Remove the repeated/,
  },
  {
    title: 'a VM name with a comma, which QEMU would split',
    spec: { selector: { names: ['a,process=b'] } },
    field: 'spec.selector.names[0]',
    message: /VM name/,
    remedy: /rental-7f3a/,
  },
  {
    title: 'the Nil UUID',
    spec: { selector: { uuids: ['00000000-0000-0000-0000-000000000000'] } },
    field: 'spec.selector.uuids[0]',
    message: /^must not be the Nil UUID/,
    remedy: /^Start the VM with a UUID of its own \(QEMU -uuid\) and name that, or select it by names/,
  },
  {
    title: 'a UUID in upper case',
    spec: { selector: { uuids: ['6A0CBD52-1A0D-4D35-9D4B-6C1F0A1F3C11'] } },
    field: 'spec.selector.uuids[0]',
    message: /lower case/,
    remedy: /6a0cbd52/,
  },
  {
    title: 'a label value with a space',
    spec: { selector: { matchLabels: { team: 'a b' } } },
    field: 'spec.selector.matchLabels.team',
    message: /label value/,
    remedy: /blue/,
  },
  {
    title: 'a label key with a space',
    spec: { selector: { names: ['a'], matchLabels: { 'a b': 'x' } } },
    field: 'spec.selector.matchLabels["a b"]',
    message: /bad name/,
    remedy: /PREFIX/,
  },
  {
    title: 'a node name in upper case',
    spec: { selector: { names: ['a'], nodeName: 'Node' } },
    field: 'spec.selector.nodeName',
    message: /DNS name of a node/,
    remedy: /node-3/,
  },
  {
    title: 'a class name with an underscore',
    spec: { className: 'my_class' },
    field: 'spec.className',
    message: /DNS name/,
    remedy: /default/,
  },
  {
    title: 'an empty class name',
    spec: { className: '' },
    field: 'spec.className',
    message: /DNS name/,
    remedy: /default/,
  },
  ...[-1, 3601].map((seconds) => ({
    title: `endpointGraceSeconds ${seconds}`,
    spec: { endpointGraceSeconds: seconds },
    field: 'spec.endpointGraceSeconds',
    message: /must be at (least 0|most 3600)/,
    remedy: /0 to 3600/,
  })),
  {
    title: 'an unknown violation action',
    spec: { violation: { action: 'Kill' } },
    field: 'spec.violation.action',
    message: /one of Drop, Quarantine, Terminate/,
    remedy: /Drop: drop the frame/,
  },
  {
    title: 'violation threshold 0',
    spec: { violation: { threshold: 0 } },
    field: 'spec.violation.threshold',
    message: /at least 1/,
    remedy: /threshold: 1/,
  },
  {
    title: 'violation window 0',
    spec: { violation: { windowSeconds: 0 } },
    field: 'spec.violation.windowSeconds',
    message: /at least 1/,
    remedy: /seconds/,
  },
  {
    title: 'Direct with Audit',
    spec: { mode: 'Direct', enforcement: 'Audit' },
    field: 'spec.enforcement',
    message: /mode Direct/,
    remedy: /Remove enforcement/,
  },
  {
    title: 'Direct with a violation action',
    spec: { mode: 'Direct', violation: { action: 'Drop' } },
    field: 'spec.violation.action',
    message: /mode Direct/,
    remedy: /Remove violation\.action/,
  },
  {
    title: 'a negative limit',
    spec: { limits: { packetsPerSecond: -1 } },
    field: 'spec.limits.packetsPerSecond',
    message: /at least 0/,
    remedy: /0 for no limit/,
  },
  {
    title: 'a limit that JSON would round',
    spec: { limits: { egressBitsPerSecond: 2 ** 53 } },
    field: 'spec.limits.egressBitsPerSecond',
    message: /at most 9007199254740991/,
    remedy: /bits a second/,
  },
  {
    title: 'desiredState with a typo',
    spec: { desiredState: 'Quarantine' },
    field: 'spec.desiredState',
    message: /one of Active, Quarantined/,
    remedy: /Did you mean Quarantined/,
  },
  ...[
    KEY.slice(0, -1),
    `${KEY}=`,
    KEY.replace('x', '-'),
    // 32 bytes too, but a second spelling of them: the last character carries bits that nobody reads.
    KEY.replace('8Dg=', '8Dh='),
    'c2hvcnQ=',
  ].map((key) => ({
    title: `peerPublicKey ${key}`,
    spec: { wireGuard: { peerPublicKey: key, addresses: ['10.99.0.2/32'] } },
    field: 'spec.wireGuard.peerPublicKey',
    message: /must be a WireGuard key/,
    remedy: /wg pubkey/,
  })),
  {
    title: 'the all-zero key',
    spec: { wireGuard: { peerPublicKey: `${'A'.repeat(43)}=`, addresses: ['10.99.0.2/32'] } },
    field: 'spec.wireGuard.peerPublicKey',
    message: /all-zero/,
    remedy: /wg pubkey/,
  },
  {
    title: 'a secret reference without a key',
    spec: { wireGuard: { presharedKeySecretRef: { name: 'psk' } } },
    field: 'spec.wireGuard.presharedKeySecretRef.key',
    message: /is required/,
    remedy: /kubectl describe secret/,
  },
  ...['10.99.0.2', '10.99.0.2/33', '10.99.0.2/032', '10.99.0.2/', 'fd00::1/64'].map((cidr) => ({
    title: `tunnel address ${cidr}`,
    spec: { wireGuard: { addresses: [cidr] } },
    field: 'spec.wireGuard.addresses[0]',
    message: /ADDRESS\/LENGTH/,
    remedy: /10\.99\.0\.2\/32/,
  })),
  {
    title: 'allowedIPs with host bits',
    spec: { wireGuard: { allowedIPs: ['10.99.0.2/24'] } },
    field: 'spec.wireGuard.allowedIPs[0]',
    message: /whole network/,
    remedy: /10\.99\.0\.0\/24/,
  },
  {
    title: 'a name server by name',
    spec: { wireGuard: { dns: ['dns.example'] } },
    field: 'spec.wireGuard.dns[0]',
    message: /IPv4 address/,
    remedy: /203\.0\.113\.10/,
  },
  ...[1279, 1441].map((mtu) => ({
    title: `mtu ${mtu}`,
    spec: { wireGuard: { mtu } },
    field: 'spec.wireGuard.mtu',
    message: /must be at (least 1280|most 1440)/,
    remedy: /1280 to 1440/,
  })),
  ...[-1, 65536].map((persistentKeepaliveSeconds) => ({
    title: `keepalive ${persistentKeepaliveSeconds}`,
    spec: { wireGuard: { persistentKeepaliveSeconds } },
    field: 'spec.wireGuard.persistentKeepaliveSeconds',
    message: /must be at (least 0|most 65535)/,
    remedy: /Seconds/,
  })),
  {
    title: 'strict as text',
    spec: { wireGuard: { strict: 'yes' } },
    field: 'spec.wireGuard.strict',
    message: /true or false, not text/,
    remedy: /without quotes/,
  },
  {
    title: 'an unknown cloud-init delivery',
    spec: { cloudInit: { delivery: 'ISO' } },
    field: 'spec.cloudInit.delivery',
    message: /one of VendorData, UserData, None/,
    remedy: /user-data/,
  },
  {
    title: 'a field with a typo',
    spec: { consumerEndpiont: { address: '203.0.113.10', port: 51900 } },
    field: 'spec.consumerEndpiont',
    message: /not a known field/,
    remedy: /Did you mean consumerEndpoint\?/,
  },
  {
    title: 'a field in the wrong place',
    spec: { strict: false },
    field: 'spec.strict',
    message: /not a known field/,
    remedy: /Move it to spec\.wireGuard\.strict/,
  },
  {
    title: 'a field that nothing resembles',
    spec: { gateway: '10.0.0.1' },
    field: 'spec.gateway',
    message: /not a known field/,
    remedy: /Known here: className, mode, consumerEndpoint/,
  },
  {
    title: 'a field named like a property of every object',
    spec: { constructor: 1 },
    field: 'spec.constructor',
    message: /not a known field/,
    remedy: /Known here/,
  },
];

/** Specs that are right, each reaching some bound. */
export const GOOD_SPECS: readonly {
  readonly title: string;
  readonly spec: Readonly<Record<string, unknown>>;
}[] = [
  { title: 'the shortest', spec: {} },
  { title: 'Direct without an endpoint', spec: { mode: 'Direct', consumerEndpoint: undefined } },
  { title: 'Direct with an endpoint, for the guest', spec: { mode: 'Direct' } },
  { title: 'Sampled with the default rate', spec: { mode: 'Sampled' } },
  { title: 'Sampled with every packet', spec: { mode: 'Sampled', sampling: { ratePerMillion: 1_000_000 } } },
  { title: 'a private endpoint', spec: endpoint('10.0.0.1', 1) },
  { title: 'an endpoint in shared address space', spec: endpoint('100.64.0.1', 65535) },
  { title: 'the last unicast address', spec: endpoint('223.255.255.255') },
  { title: 'the neighbours of refused ranges', spec: endpoint('126.255.255.255') },
  { title: 'the neighbours of link-local', spec: endpoint('169.255.0.0') },
  { title: 'the first address', spec: endpoint('1.0.0.0') },
  {
    title: 'every selector',
    spec: {
      selector: { names: ['a_b.c:d+e@f-0'], uuids: [], matchLabels: { 'x.io/team': '' }, nodeName: '' },
    },
  },
  { title: 'selection by label alone', spec: { selector: { matchLabels: { team: 'blue' } } } },
  {
    title: 'the largest numbers',
    spec: { endpointGraceSeconds: 3600, limits: { egressBitsPerSecond: Number.MAX_SAFE_INTEGER } },
  },
  {
    title: 'a whole tunnel',
    spec: {
      wireGuard: {
        peerPublicKey: KEY,
        addresses: ['10.99.0.2/24'],
        mtu: 1280,
        persistentKeepaliveSeconds: 0,
      },
    },
  },
  { title: 'quarantined', spec: { desiredState: 'Quarantined' } },
];

/** GOOD_SPEC with changes, as a whole object. */
export function networkWith(changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const spec = Object.fromEntries(
    Object.entries({ ...GOOD_SPEC, ...changes }).filter(([, value]) => value !== undefined),
  );
  return {
    apiVersion: 'vmnetwork.io/v1alpha1',
    kind: 'VMNetwork',
    metadata: { name: 'rental-7f3a', namespace: 'tenant-a' },
    spec,
  };
}
