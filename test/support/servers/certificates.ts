import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const runs = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Why no certificates can be made on this computer, or false. */
export const noOpenssl = runs() ? false : 'openssl is not installed';

/**
 * Makes an authority and a certificate of 127.0.0.1 that it vouches for, valid for a day, as PEM files in `folder`;
 * the same certificate serves as a client's.
 */
export const makeCertificates = (folder: string) => {
  const at = (name: string) => join(folder, `${name}.pem`);
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const make = (name: string, ...more: readonly string[]) =>
    execFileSync('openssl', [...request, '-keyout', at(`${name}-key`), '-out', at(name), ...more], { stdio: 'ignore' });
  make('ca', '-subj', '/CN=a cluster of its own');
  const issuer = ['-CA', at('ca'), '-CAkey', at('ca-key'), '-addext', 'basicConstraints=critical,CA:FALSE'];
  make('leaf', '-subj', '/CN=node', '-addext', 'subjectAltName=IP:127.0.0.1', ...issuer);
  const files = { ca: at('ca'), cert: at('leaf'), key: at('leaf-key') };
  const text = (file: string) => readFileSync(file, 'utf8');
  return {
    files,
    pem: { ca: text(files.ca), caKey: text(at('ca-key')), cert: text(files.cert), key: text(files.key) },
  };
};
