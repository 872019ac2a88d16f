import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect as connectSocket, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { connect, type ConnectOptions } from '../../../../src/kube/transport/connect.ts';
import { inClusterEndpoint } from '../../../../src/kube/transport/in-cluster.ts';
import { certificateAuthority, issue } from './certificate.ts';
import { clientOf, lamp, LAMPS } from './client.ts';
import { ClockAhead } from './clock-ahead.ts';
import { json, refuse, ScriptedServer, type Answerer } from './scripted-server.ts';

const REF = { namespace: 'a', name: 'one' };
const CONNECT = new URL('../../../../src/kube/transport/connect.ts', import.meta.url).href;
const authority = certificateAuthority();
const serverCertificate = issue(authority, 'server');
let dir: string;
let server: ScriptedServer;
/** Who the server saw, by the certificate of each request. */
let seen: string[];

const fine: Answerer = (_, response) => {
  const peer = (response.socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined;
  seen.push(peer?.CN ?? 'nobody');
  json(response, 200, lamp('one', 1));
};

beforeAll(async () => {
  server = await ScriptedServer.start(fine, {
    ...serverCertificate,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: false,
  });
});
afterAll(() => server.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vmn-kube-'));
  seen = [];
  server.requests.length = 0;
  server.answer(fine);
  write('ca.crt', authority.cert);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

interface Entries {
  name?: string;
  cluster?: object;
  user?: object;
  current?: string;
}

/** JSON is YAML. */
function kubeconfig(
  { name = 'one', cluster = {}, user = {}, current = 'one' }: Entries = {},
  file = 'config',
): string {
  return write(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { server: server.url, 'certificate-authority': 'ca.crt', ...cluster } }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': current,
    }),
  );
}

async function ask(options: Partial<ConnectOptions>): Promise<void> {
  const client = await connect({ userAgent: 'test/1', env: {}, ...options });
  await client.get(LAMPS, REF);
}

function authorization(): string | undefined {
  return server.requests.at(-1)?.headers.authorization;
}

describe('a kubeconfig', () => {
  test('whose program hangs is given up after the time of a request, with what to do', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sleep',
      args: ['5'],
      interactiveMode: 'Never',
    };
    const path = kubeconfig({ user: { exec } });
    const connecting = connect({ userAgent: 'test/1', env: {}, kubeconfig: path, requestTimeoutMs: 50 });
    await expect(connecting).rejects.toMatchObject({
      name: 'ConnectionConfigError',
      message: `${path}: the credentials of its user did not come within 0.05 s. Run \`kubectl get --raw /version\` with it.`,
    });
  });

  test('with a token; paths in it are relative to it', async () => {
    await ask({ kubeconfig: kubeconfig({ user: { token: 'abc' } }) });
    expect(authorization()).toBe('Bearer abc');
  });

  test('with data instead of files', async () => {
    const cluster = {
      'certificate-authority': undefined,
      'certificate-authority-data': Buffer.from(authority.cert).toString('base64'),
    };
    await ask({ kubeconfig: kubeconfig({ cluster, user: { username: 'u', password: 'p' } }) });
    expect(authorization()).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`);
  });

  test('with a client certificate that is replaced while we run', async () => {
    const clock = new ClockAhead();
    const put = (name: string) => {
      const { key, cert } = issue(authority, name);
      write('tls.crt', cert);
      write('tls.key', key);
    };
    put('node-1');
    const user = { 'client-certificate': 'tls.crt', 'client-key': 'tls.key' };
    const client = await connect({ userAgent: 'test/1', kubeconfig: kubeconfig({ user }), clock, env: {} });
    await client.get(LAMPS, REF);
    put('node-1-renewed');
    await client.get(LAMPS, REF);
    clock.goAhead(11_000);
    await client.get(LAMPS, REF);
    expect(seen).toEqual(['node-1', 'node-1', 'node-1-renewed']);
  });

  test('with a token file that is replaced while we run', async () => {
    const clock = new ClockAhead();
    write('token', 'first\n');
    const user = { tokenFile: 'token' };
    const client = await connect({ userAgent: 'test/1', kubeconfig: kubeconfig({ user }), clock, env: {} });
    await client.get(LAMPS, REF);
    expect(authorization()).toBe('Bearer first');
    write('token', 'second\n');
    clock.goAhead(11_000);
    await client.get(LAMPS, REF);
    expect(authorization()).toBe('Bearer second');
    // A volume in the middle of being swapped.
    rmSync(join(dir, 'token'));
    clock.goAhead(11_000);
    await client.get(LAMPS, REF);
    expect(authorization()).toBe('Bearer second');
  });

  test('with a program that gives tokens: asked when needed, again when its token is refused, not in between', async () => {
    const program = write(
      'plugin.cjs',
      `const fs = require('node:fs');
       fs.appendFileSync(__dirname + '/calls', 'x');
       const token = fs.readFileSync(__dirname + '/token', 'utf8');
       console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential',
         status: { token, expirationTimestamp: '2999-01-01T00:00:00Z' } }));`,
    );
    const calls = () => readFileSync(join(dir, 'calls'), 'utf8').length;
    write('token', 'first');
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: [program],
    };
    const clock = new ClockAhead();
    const config = kubeconfig({ user: { exec } });
    const client = await connect({ userAgent: 'test/1', kubeconfig: config, clock, env: {} });
    await Promise.all([client.get(LAMPS, REF), client.get(LAMPS, REF)]);
    await client.get(LAMPS, REF);
    expect(authorization()).toBe('Bearer first');
    expect(calls()).toBe(1);
    write('token', 'second');
    server.answer((request, response) =>
      request.headers.authorization === 'Bearer second'
        ? fine(request, response)
        : refuse(response, 401, 'Unauthorized'),
    );
    clock.goAhead(11_000);
    await client.get(LAMPS, REF);
    expect(calls()).toBe(2);
  });

  test('with a program that fails: said at the start', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: '/nonexistent/plugin' };
    await expect(ask({ kubeconfig: kubeconfig({ user: { exec } }) })).rejects.toMatchObject({
      name: 'ConnectionConfigError',
      message: expect.stringContaining('credentials'),
    });
  });

  test('by KUBECONFIG, of several files the first that defines something', async () => {
    const one = kubeconfig({ name: 'one', user: { token: 'of-one' }, current: '' }, 'one');
    const two = kubeconfig({ name: 'two', user: { token: 'of-two' }, current: 'two' }, 'two');
    const again = kubeconfig({ name: 'two', user: { token: 'unused' }, current: 'one' }, 'again');
    const env = { KUBECONFIG: [one, two, again].join(delimiter) };
    await ask({ env });
    expect(authorization()).toBe('Bearer of-two');
    await ask({ env, context: 'one' });
    expect(authorization()).toBe('Bearer of-one');
    await ask({ env, kubeconfig: one, context: 'one' });
    expect(authorization()).toBe('Bearer of-one');
  });

  test('by KUBECONFIG, of several files those that are there; of one, that one', async () => {
    const one = kubeconfig({ user: { token: 'of-one' } }, 'only');
    const missing = '/nonexistent/config';
    await ask({ env: { KUBECONFIG: [missing, one].join(delimiter) } });
    expect(authorization()).toBe('Bearer of-one');
    await expect(ask({ env: { KUBECONFIG: missing } })).rejects.toThrow(
      `${missing}: cannot be read (ENOENT)`,
    );
  });

  test('with merge keys, as kubectl reads them', async () => {
    const text = `
      clusters: [{ name: c, cluster: { server: "${server.url}", certificate-authority: ca.crt } }]
      users: [{ name: one, user: &one { token: abc } }, { name: two, user: { <<: *one } }]
      contexts: [{ name: two, context: { cluster: c, user: two } }]
      current-context: two`;
    await ask({ kubeconfig: write('merged', text) });
    expect(authorization()).toBe('Bearer abc');
  });

  test('loads the library only for what it alone can do', async () => {
    const program = (kubeconfigPath: string) => `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      const { connect } = await import(${JSON.stringify(CONNECT)});
      await connect({ userAgent: 'test/1', env: {}, kubeconfig: ${JSON.stringify(kubeconfigPath)} });
      console.log(loaded.filter((url) => url.includes('client-node/dist/gen/')).length);`;
    const modulesFor = (user: object, file: string): number => {
      const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval'];
      const text = execFileSync(process.execPath, [...args, program(kubeconfig({ user }, file))], {
        encoding: 'utf8',
      });
      return Number(text);
    };
    expect(modulesFor({ token: 'abc' }, 'plain')).toBe(0);
    const status = { token: 'abc' };
    const said = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status,
    });
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'echo', args: [said] };
    expect(modulesFor({ exec }, 'exec')).toBeGreaterThan(0);
  });

  test('by way of a proxy', async () => {
    const proxy = await startProxy();
    const cluster = { 'proxy-url': `http://127.0.0.1:${(proxy.server.address() as AddressInfo).port}` };
    try {
      await ask({ kubeconfig: kubeconfig({ cluster, user: { token: 'abc' } }) });
      expect(authorization()).toBe('Bearer abc');
      expect(proxy.asked).toEqual([new URL(server.url).host]);
    } finally {
      await proxy.close();
    }
  });

  test.each<[string, (good: string) => Partial<ConnectOptions>, string]>([
    ['that does not exist', () => ({ kubeconfig: '/nonexistent/config' }), 'ENOENT'],
    ['that is no YAML', () => ({ kubeconfig: write('bad', '{') }), 'is not a kubeconfig'],
    ['that is empty', () => ({ kubeconfig: write('bad', '') }), 'is not a kubeconfig'],
    ['without that context', (kubeconfig) => ({ kubeconfig, context: 'other' }), 'Choose one of: one'],
    ['without a context', () => ({ kubeconfig: kubeconfig({ current: '' }) }), 'no current-context'],
    [
      'of an unknown scheme',
      () => ({ kubeconfig: kubeconfig({ cluster: { server: 'ftp://x' } }) }),
      'not an http(s) address',
    ],
    [
      'that sends a token in the clear',
      () => ({ kubeconfig: kubeconfig({ cluster: { server: 'http://192.0.2.1' }, user: { token: 't' } }) }),
      'not encrypted',
    ],
    [
      'that sends a token of a file in the clear',
      () => ({
        kubeconfig: kubeconfig({ cluster: { server: 'http://192.0.2.1' }, user: { tokenFile: 't' } }),
      }),
      'not encrypted',
    ],
    [
      'with a token file that is missing',
      () => ({ kubeconfig: kubeconfig({ user: { tokenFile: 't' } }) }),
      'be read',
    ],
    [
      'with a token file that is empty',
      () => ({ kubeconfig: kubeconfig({ user: { tokenFile: write('t', '\n') } }) }),
      'holds no token',
    ],
  ])('%s is refused with what to do', async (_, options, message) => {
    await expect(ask(options(kubeconfig({ user: { token: 'abc' } })))).rejects.toMatchObject({
      name: 'ConnectionConfigError',
      message: expect.stringContaining(message),
    });
    expect(server.requests).toEqual([]);
  });
});

describe('TLS', () => {
  test('a server that another authority vouches for is not told our token', async () => {
    write('ca.crt', certificateAuthority('another CA').cert);
    await expect(ask({ kubeconfig: kubeconfig({ user: { token: 'abc' } }) })).rejects.toMatchObject({
      name: 'TransportError',
    });
    expect(server.requests).toEqual([]);
  });

  test('unless the kubeconfig says that it does not matter', async () => {
    const cluster = { 'certificate-authority': undefined, 'insecure-skip-tls-verify': true };
    await ask({ kubeconfig: kubeconfig({ cluster, user: { token: 'abc' } }) });
    expect(authorization()).toBe('Bearer abc');
  });

  test('a write that is fenced is asked for after the handshake', async () => {
    const client = await connect({ userAgent: 'test/1', kubeconfig: kubeconfig(), env: {} });
    const before = server.connections;
    let connectionsWhenAsked = 0;
    const beforeSend = () => (connectionsWhenAsked = server.connections);
    await client.create(LAMPS, lamp('one', 1), { beforeSend });
    expect(connectionsWhenAsked).toBeGreaterThanOrEqual(before);
    const refusal = new Error('no');
    const refused = client.create(LAMPS, lamp('one', 1), {
      beforeSend: () => {
        throw refusal;
      },
    });
    await expect(refused).rejects.toBe(refusal);
    expect(server.requests).toHaveLength(1);
  });
});

describe('in a pod', () => {
  test('the service account: its CA, its token, which the kubelet replaces', async () => {
    const account = join(dir, 'account');
    mkdirSync(account);
    writeFileSync(join(account, 'ca.crt'), authority.cert);
    writeFileSync(join(account, 'token'), 'first');
    const clock = new ClockAhead();
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(server.port) };
    const { server: url, credentials } = inClusterEndpoint({ env, clock, serviceAccountDir: account });
    const client = clientOf(url.href, { credentials });
    await client.get(LAMPS, REF);
    expect(authorization()).toBe('Bearer first');
    writeFileSync(join(account, 'token'), 'second');
    clock.goAhead(11_000);
    await client.get(LAMPS, REF);
    expect(authorization()).toBe('Bearer second');
  });

  test('IPv6 addresses get their brackets', () => {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    expect(inClusterEndpoint({ env, clock: new ClockAhead() }).server.href).toBe('https://[fd00::1]/');
  });

  test('that is no pod: said with what to do', async () => {
    await expect(ask({ env: {} })).rejects.toMatchObject({
      name: 'ConnectionConfigError',
      on: 'KUBERNETES_SERVICE_HOST',
      remedy: expect.stringContaining('--kubeconfig'),
    });
  });
});

/** An HTTP proxy that knows CONNECT. */
async function startProxy(): Promise<{ server: Server; asked: string[]; close: () => Promise<void> }> {
  const asked: string[] = [];
  const sockets: Socket[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, client: Socket) => {
    asked.push(request.url ?? '');
    const { hostname, port } = new URL(`http://${request.url ?? ''}`);
    const target = connectSocket(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    sockets.push(target);
    // Neither outlives the other: who asked hears of it.
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on('error', () => undefined).on('close', () => other.destroy());
    }
  });
  proxy.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  };
  return { server: proxy, asked, close };
}
