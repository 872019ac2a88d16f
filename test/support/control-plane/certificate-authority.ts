import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../lab/index.ts';

/** Paths of PEM files. */
export interface KeyPair {
  certificate: string;
  key: string;
}

export interface Subject {
  /** What Kubernetes takes for the user's name. */
  commonName: string;
  /** What Kubernetes takes for the user's groups. */
  organizations?: readonly string[];
}

/** Without extensions of the machine's own openssl.cnf, which would make every certificate one of an authority. */
const CONFIG = '[req]\ndistinguished_name = dn\n[dn]\n';
const VALID_DAYS = '2';

/** An authority of one run: EC P-256, its key in the run's folder, all it issues valid for two days. */
export class CertificateAuthority {
  readonly folder: string;
  readonly #own: KeyPair;

  private constructor(folder: string) {
    this.folder = folder;
    this.#own = { certificate: join(folder, 'ca.crt'), key: join(folder, 'ca.key') };
  }

  static async create(folder: string, name: string): Promise<CertificateAuthority> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'openssl.cnf'), CONFIG);
    const authority = new CertificateAuthority(folder);
    const extensions = [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign,digitalSignature',
    ];
    await authority.#request(authority.#own, { commonName: name }, extensions, false);
    return authority;
  }

  /** The authority that {@link create} made there, maybe in another process. */
  static open(folder: string): CertificateAuthority {
    return new CertificateAuthority(folder);
  }

  get certificatePath(): string {
    return this.#own.certificate;
  }

  get certificate(): string {
    return readFileSync(this.#own.certificate, 'utf8');
  }

  issueClient(subject: Subject): Promise<KeyPair> {
    return this.#issue(subject, ['extendedKeyUsage=clientAuth']);
  }

  /** `names` as openssl writes them, e.g. `IP:127.0.0.1`, `DNS:localhost`. */
  issueServer(commonName: string, names: readonly string[]): Promise<KeyPair> {
    return this.#issue({ commonName }, ['extendedKeyUsage=serverAuth', `subjectAltName=${names.join(',')}`]);
  }

  async #issue(subject: Subject, extensions: readonly string[]): Promise<KeyPair> {
    // No counter: several of us may have this folder open.
    const name = join(this.folder, randomUUID());
    const pair = { certificate: `${name}.crt`, key: `${name}.key` };
    await this.#request(pair, subject, ['keyUsage=critical,digitalSignature', ...extensions], true);
    return pair;
  }

  async #request(
    pair: KeyPair,
    subject: Subject,
    extensions: readonly string[],
    signed: boolean,
  ): Promise<void> {
    const signer = signed ? ['-CA', this.#own.certificate, '-CAkey', this.#own.key] : [];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', pair.key];
    await mustRun([
      ...['openssl', 'req', '-x509', '-config', join(this.folder, 'openssl.cnf'), '-days', VALID_DAYS],
      ...key,
      ...['-out', pair.certificate, '-utf8', '-subj', subjectText(subject), ...signer],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    ]);
  }
}

function subjectText({ commonName, organizations = [] }: Subject): string {
  const escaped = (text: string): string => text.replace(/[\\/+=]/g, '\\$&');
  return [...organizations.map((name) => `/O=${escaped(name)}`), `/CN=${escaped(commonName)}`].join('');
}
