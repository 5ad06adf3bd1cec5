import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What every TLS connection of the worker keeps to, whatever NODE_OPTIONS or NODE_TLS_REJECT_UNAUTHORIZED says. */
export const tlsFloor = { minVersion: 'TLSv1.2', rejectUnauthorized: true } as const;

/** Where distributions keep their certificate authorities in one file (as in Go's crypto/x509, root_linux.go). */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Alpine, Arch, Buildroot
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL 6
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // RHEL 7 and later
  '/etc/ssl/cert.pem', // Alpine, OpenSSL's own
];
const folders = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

/** The variables are OpenSSL's: SSL_CERT_FILE names one file, SSL_CERT_DIR folders joined by colons. */
const places = () => {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = process.env;
  return {
    files: file ? [file] : bundles,
    folders: directories ? directories.split(':').filter((folder) => folder !== '') : folders,
  };
};

const stampOf = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? '' : `${path} ${found.dev}:${found.ino} ${found.size} ${found.mtimeMs}`;
};

const certificate = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** The certificates in a file that are whole; a key, a list of revocations or a broken link has none. */
const certificatesIn = async (path: string): Promise<readonly string[]> => {
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  const text = await readFile(path, 'latin1').catch(() => '');
  return [...text.matchAll(certificate)].flatMap(([block]) => {
    try {
      return [new X509Certificate(block).toString()];
    } catch {
      return [];
    }
  });
};

let trusted = '';

/**
 * Lets this process's TLS clients trust the system's certificate store beside the authorities that Node carries and
 * NODE_EXTRA_CA_CERTS. To be called before each TLS connection: a store that has changed since is read again. An
 * authority that was taken out of the store is trusted until this process ends.
 */
export const trustSystemCertificates = async (): Promise<void> => {
  const { files, folders: inFolders } = places();
  const stamp = (await Promise.all([...files, ...inFolders].map(stampOf))).join('\n');
  if (stamp === trusted) return;
  const listed = await Promise.all(
    inFolders.map(async (folder) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name))),
  );
  const found = await Promise.all([...files, ...listed.flat()].map(certificatesIn));
  const { getCACertificates, setDefaultCACertificates } = process.getBuiltinModule('node:tls');
  setDefaultCACertificates([...new Set([...getCACertificates('default'), ...found.flat()])]);
  trusted = stamp;
};

/** PEM files for a TLS client: its own certificate with its key, and the only authorities that may vouch for the server. */
export type TlsFiles = {
  readonly client?: { readonly cert: string; readonly key: string } | undefined;
  readonly ca?: string | undefined;
};

/** The options of a TLS client. Without `ca` the system's store is trusted. Rejects when a file cannot be read. */
export const tlsOptions = async ({ client, ca }: TlsFiles) => {
  if (ca === undefined) await trustSystemCertificates();
  return {
    ...tlsFloor,
    ...(ca === undefined ? {} : { ca: await readFile(ca) }),
    ...(client === undefined ? {} : { cert: await readFile(client.cert), key: await readFile(client.key) }),
  };
};
