import fc from 'fast-check';
import t from 'tap';
import { findAccount } from '../../../../worker/node-engine/artifacts/oci/account.ts';
import { readChallenges, tokenUrl } from '../../../../worker/node-engine/artifacts/oci/challenge.ts';
import { fewInputs } from '../../../support/inputs.ts';

t.test('accounts of a Docker configuration', async (t) => {
  const auth = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });
  const text = JSON.stringify({
    auths: {
      'https://index.docker.io/v1/': auth('hub', 'p:w'),
      'ghcr.io': auth('git', 'x'),
      'quay.io/team/private': auth('robot', 'y'),
      'quay.io': { username: 'human', password: 'z', auth: null },
      'azure.example': { identitytoken: 'refresh', ...auth('<token>', '') },
      broken: 7,
      'empty.example': {},
    },
    credHelpers: { 'helped.example': 'ecr-login' },
  });
  t.same(findAccount(text, 'docker.io', 'library/a'), { user: 'hub', password: 'p:w' });
  t.same(findAccount(text, 'ghcr.io', 'a/b'), { user: 'git', password: 'x' });
  t.same(findAccount(text, 'quay.io', 'team/private/app'), { user: 'robot', password: 'y' });
  t.same(findAccount(text, 'quay.io', 'team/public'), { user: 'human', password: 'z' });
  t.same(findAccount(text, 'azure.example', 'a'), { identityToken: 'refresh' });
  for (const none of ['broken', 'empty.example', 'other.example']) t.equal(findAccount(text, none, 'a'), undefined);
  t.throws(() => findAccount(text, 'helped.example', 'a'), /credential helper, which is not supported/);
  const stored = JSON.stringify({ auths: { 'ghcr.io': {} }, credsStore: 'desktop' });
  t.throws(() => findAccount(stored, 'ghcr.io', 'a'), /credential helper/);
  t.throws(() => findAccount('{', 'ghcr.io', 'a'), {
    message: 'the file of registry_auth_file is not a config.json of Docker',
  });
});

t.test('challenges are read as they are written', async (t) => {
  const token = fc.stringMatching(/^[a-z][a-z-]{0,8}$/);
  const value = fc.stringMatching(/^[ -~]{1,20}$/);
  const challenge = fc.record({
    scheme: token,
    parameters: fc.dictionary(token, value, { maxKeys: 3, noNullPrototype: true }),
  });
  fc.assert(
    fc.property(fc.array(challenge), (challenges) => {
      const header = challenges
        .map(({ scheme, parameters }) => {
          const words = Object.entries(parameters).map(
            ([name, one]) => `${name}="${one.replaceAll(/["\\]/g, '\\$&')}"`,
          );
          return `${scheme} ${words.join(', ')}`.trim();
        })
        .join(', ');
      const read = readChallenges(header).map(({ scheme, parameters }) => ({
        scheme,
        parameters: Object.fromEntries(parameters),
      }));
      t.same(read, challenges);
    }),
    { ...fewInputs(20_261_130) },
  );
  const url = (header: string) => readChallenges(header).map((one) => tokenUrl(one, 'x/y')?.href)[0];
  t.equal(url('Bearer realm="https://a/b",scope="c:d"'), 'https://a/b?scope=c%3Ad');
  t.equal(
    url('Bearer realm="https://a/b?account=1",service=s'),
    'https://a/b?account=1&service=s&scope=repository%3Ax%2Fy%3Apull',
  );
  t.equal(url('Bearer realm="file:///etc/passwd"'), undefined);
  t.equal(url('Bearer service="s"'), undefined);
});
