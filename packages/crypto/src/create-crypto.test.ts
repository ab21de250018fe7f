import { randomBytes } from 'node:crypto';
import { newId } from '@impact-hub/core';
import { controlledClock, createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCrypto, type Crypto } from './create-crypto.ts';
import { DecryptionFailed, KeyStoreError, SealerExpired } from './errors.ts';

const purpose = 'test.secret';
const context = { table: 'endpoint', column: 'secret', row: '1' };
const plaintext = Buffer.from('a secret of some length');

describe('createCrypto', () => {
  let store: TestDatabase;
  const rootKey = randomBytes(32);
  const clock = controlledClock();
  const opened: Crypto[] = [];
  const openCrypto = (key = rootKey, maxCachedKeys = 100): Crypto => {
    const crypto = createCrypto({ db: store.db, rootKey: key, clock, maxCachedKeys });
    opened.push(crypto);
    return crypto;
  };
  let crypto: Crypto;
  let companyId: string;
  beforeAll(async () => {
    store = await createTestDatabase();
  });
  beforeEach(() => {
    crypto = openCrypto();
    companyId = newId();
  });
  afterEach(() => opened.splice(0).forEach((each) => each.close()));
  afterAll(() => store.drop());

  const encrypt = (text: Uint8Array = plaintext) => crypto.encrypt({ companyId, purpose, context, plaintext: text });
  const decrypt = (ciphertext: string) => crypto.decrypt({ companyId, purpose, context, ciphertext });
  const refusal = new DecryptionFailed().message;

  it('returns every plaintext, in another process too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await decrypt(await encrypt(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
    const other = openCrypto();
    const ciphertext = await encrypt();
    expect(await other.decrypt({ companyId, purpose, context, ciphertext })).toEqual(plaintext);
  });

  it('never writes the same ciphertext twice', async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => encrypt()));
    expect(new Set(tokens).size).toBe(50);
    expect(tokens[0]).toMatch(/^hub1\.[0-9a-f-]{36}\.1\.[\w-]+$/);
  });

  it('refuses every changed token, always with the same words', async () => {
    const token = await encrypt();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }),
        async (at, char) => {
          fc.pre(token[at] !== char);
          await expect(decrypt(token.slice(0, at) + char + token.slice(at + 1))).rejects.toThrow(refusal);
        },
      ),
    );
    for (const bad of [
      token.slice(0, -1),
      `${token}A`,
      `${token}=`,
      ` ${token}`,
      `${token}\n`,
      '',
      token.replace('.1.', '.01.'),
      token.toUpperCase(),
    ])
      await expect(decrypt(bad)).rejects.toThrow(refusal);
  });

  it('refuses the wrong context, purpose, company and version', async () => {
    const ciphertext = await encrypt();
    const otherCompany = newId();
    await crypto.encrypt({ companyId: otherCompany, purpose, context, plaintext });
    await crypto.rotateDataKey({ companyId, purpose });
    const attempts = [
      { companyId, purpose, context: { ...context, row: '2' }, ciphertext },
      { companyId, purpose: 'test.other', context, ciphertext },
      { companyId: otherCompany, purpose, context, ciphertext },
      { companyId, purpose, context, ciphertext: ciphertext.replace('.1.', '.2.') },
      { companyId, purpose, context, ciphertext: ciphertext.replace('.1.', '.3.') },
    ];
    for (const attempt of attempts) await expect(crypto.decrypt(attempt)).rejects.toThrow(DecryptionFailed);
  });

  it("gives one company neither the use nor a trace of another company's key, cached or not", async () => {
    const ciphertext = await encrypt();
    const otherCompany = newId();
    for (const each of [crypto, openCrypto()])
      await expect(each.decrypt({ companyId: otherCompany, purpose, context, ciphertext })).rejects.toThrow(refusal);
    const seen = await store.db.company(otherCompany, (tx) => tx.sql`select 1 from crypto_key`);
    expect(seen).toHaveLength(0);
    await expect(store.db.systemSql`select 1 from crypto_key`).rejects.toThrow('permission denied');
  });

  it('does not open a key row that was moved to another company, purpose or version', async () => {
    const ciphertext = await encrypt();
    const otherCompany = newId();
    await store.owner`update crypto_key set company_id = ${otherCompany} where company_id = ${companyId}`;
    await expect(openCrypto().decrypt({ companyId: otherCompany, purpose, context, ciphertext })).rejects.toThrow(
      KeyStoreError,
    );
    await store.owner`update crypto_key set company_id = ${companyId}, version = 2 where company_id = ${otherCompany}`;
    const moved = ciphertext.replace('.1.', '.2.');
    await expect(openCrypto().decrypt({ companyId, purpose, context, ciphertext: moved })).rejects.toThrow(
      KeyStoreError,
    );
  });

  it('says plainly that the root key is another one', async () => {
    const ciphertext = await encrypt();
    const attempt = openCrypto(randomBytes(32)).decrypt({ companyId, purpose, context, ciphertext });
    await expect(attempt).rejects.toThrow(
      /wrapped by root key [0-9a-f]{16}, but this process has root key [0-9a-f]{16}/,
    );
  });

  it('makes one key although many processes use it for the first time at once', async () => {
    const processes = Array.from({ length: 12 }, () => openCrypto());
    const tokens = await Promise.all(processes.map((each) => each.encrypt({ companyId, purpose, context, plaintext })));
    expect(new Set(tokens.map((token) => token.split('.')[1])).size).toBe(1);
    for (const token of tokens) expect(await decrypt(token)).toEqual(plaintext);
    const [count] = await store.owner`select count(*)::int as n from crypto_key where company_id = ${companyId}`;
    expect(count?.['n']).toBe(1);
  });

  it('uses the new version after a rotation and still reads the old ones', async () => {
    const tokens = [await encrypt()];
    for (const version of [2, 3]) {
      expect(await crypto.rotateDataKey({ companyId, purpose })).toMatchObject({ version });
      tokens.push(await encrypt());
    }
    expect(tokens.map((token) => token.split('.')[2])).toEqual(['1', '2', '3']);
    for (const token of tokens) expect(await decrypt(token)).toEqual(plaintext);
    const rows = await store.owner`select state from crypto_key where company_id = ${companyId} order by version`;
    expect(rows.map((row) => row['state'])).toEqual(['deactivated', 'deactivated', 'active']);
  });

  it('counts concurrent rotations one by one, and keeps nothing of one that failed', async () => {
    const rotated = await Promise.all(Array.from({ length: 6 }, () => crypto.rotateDataKey({ companyId, purpose })));
    expect(rotated.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    const failing = crypto.rotateDataKey({ companyId, purpose }, async () => Promise.reject(new Error('not recorded')));
    await expect(failing).rejects.toThrow('not recorded');
    expect((await encrypt()).split('.')[2]).toBe('6');
  });

  it('another process follows a rotation, and a destruction, within 60 s', async () => {
    const other = openCrypto();
    const old = await other.encrypt({ companyId, purpose, context, plaintext });
    await other.decrypt({ companyId, purpose, context, ciphertext: old });
    await crypto.rotateDataKey({ companyId, purpose });
    await store.owner`update crypto_key set state = 'destroyed', wrapped = null where company_id = ${companyId} and version = 1`;
    clock.advanceMs(60_000);
    expect((await other.encrypt({ companyId, purpose, context, plaintext })).split('.')[2]).toBe('2');
    await expect(other.decrypt({ companyId, purpose, context, ciphertext: old })).rejects.toThrow(refusal);
  });

  it('stays correct when the cache holds a single key', async () => {
    const small = openCrypto(rootKey, 1);
    const companies = Array.from({ length: 8 }, newId);
    const seals = companies
      .flatMap((id) => [id, id])
      .map(async (id) => {
        const ciphertext = await small.encrypt({ companyId: id, purpose, context, plaintext });
        return small.decrypt({ companyId: id, purpose, context, ciphertext });
      });
    for (const opened of await Promise.all(seals)) expect(opened).toEqual(plaintext);
  });

  it('does not let the runtime role replace key bytes or remove a key', async () => {
    await encrypt();
    const attempt = (statement: string) => store.db.company(companyId, (tx) => tx.sql.unsafe(statement));
    await expect(attempt('update crypto_key set wrapped = wrapped')).rejects.toThrow('permission denied');
    await expect(attempt('delete from crypto_key')).rejects.toThrow('permission denied');
    await expect(attempt('truncate crypto_key')).rejects.toThrow('permission denied');
  });

  it('refuses purposes and companies that are not well formed', async () => {
    await expect(crypto.encrypt({ companyId, purpose: 'No/Such', context, plaintext })).rejects.toThrow(TypeError);
    await expect(crypto.openSealer({ companyId: "' or 1=1", purpose })).rejects.toThrow(TypeError);
  });

  describe('a sealer', () => {
    it('seals what unseal opens, and nothing else opens', async () => {
      const sealer = await crypto.openSealer({ companyId, purpose });
      const sealed = sealer.seal('receipt/1', plaintext);
      expect(sealed).toHaveLength(plaintext.length + 61);
      expect(await openCrypto().unseal({ companyId, purpose, context: 'receipt/1', sealed })).toEqual(plaintext);
      const attempts = [
        { companyId, purpose, context: 'receipt/2', sealed },
        { companyId, purpose: 'test.other', context: 'receipt/1', sealed },
        { companyId: newId(), purpose, context: 'receipt/1', sealed },
        { companyId, purpose, context: 'receipt/1', sealed: sealed.subarray(0, -12) },
        { companyId, purpose, context: 'receipt/1', sealed: Buffer.alloc(0) },
      ];
      for (const attempt of attempts) await expect(crypto.unseal(attempt)).rejects.toThrow(DecryptionFailed);
    });

    it('makes bytes of which no bit can be changed', async () => {
      const sealed = (await crypto.openSealer({ companyId, purpose })).seal('row', Buffer.from('x'));
      for (let bit = 0; bit < sealed.length * 8; bit += 1) {
        const flipped = Buffer.from(sealed);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        await expect(crypto.unseal({ companyId, purpose, context: 'row', sealed: flipped })).rejects.toThrow(refusal);
      }
    });

    it('never repeats a nonce', async () => {
      const sealer = await crypto.openSealer({ companyId, purpose });
      const nonces = Array.from({ length: 5_000 }, () => sealer.seal('row', plaintext).toString('hex', 21, 45));
      expect(new Set(nonces).size).toBe(5_000);
      expect(new Set(nonces.map((nonce) => nonce.slice(0, 24))).size).toBe(1);
    });

    it('is usable for 30 s whenever it was opened, and refuses after 60 s', async () => {
      const first = await crypto.openSealer({ companyId, purpose });
      clock.advanceMs(29_999);
      const late = await crypto.openSealer({ companyId, purpose });
      clock.advanceMs(30_000);
      for (const sealer of [first, late]) expect(sealer.seal('row', plaintext)).toBeInstanceOf(Buffer);
      clock.advanceMs(1);
      for (const sealer of [first, late]) expect(() => sealer.seal('row', plaintext)).toThrow(SealerExpired);
      const next = await crypto.openSealer({ companyId, purpose });
      const sealed = next.seal('row', plaintext);
      expect(await crypto.unseal({ companyId, purpose, context: 'row', sealed })).toEqual(plaintext);
    });
  });
});
