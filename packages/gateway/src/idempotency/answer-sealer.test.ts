import { describe, expect, it } from 'vitest';
import { createAnswerSealer, type AnswerPlace } from './answer-sealer.ts';

const sealer = createAnswerSealer('secret of the hub, of more than 32 bytes');
const place: AnswerPlace = { companyId: 'c', caller: 'key:1', fingerprint: Buffer.alloc(32, 1), status: 201 };
const answer = { headers: { 'content-type': 'application/json' }, body: '{"key":"teei_live_secret"}' };
const sealed = sealer.seal('my key', place, answer);

describe('a sealed answer', () => {
  it('opens for who has the Idempotency-Key', () => {
    expect(sealer.open('my key', place, sealed)).toEqual(answer);
    expect(createAnswerSealer('secret of the hub, of more than 32 bytes').open('my key', place, sealed)).toEqual(
      answer,
    );
  });

  it('does not open under another key, another secret or in another place, nor altered', () => {
    expect(sealer.open('my kez', place, sealed)).toBeUndefined();
    expect(createAnswerSealer('another secret').open('my key', place, sealed)).toBeUndefined();
    for (const other of [{ companyId: 'd' }, { caller: 'key:2' }, { fingerprint: Buffer.alloc(32) }, { status: 200 }])
      expect(sealer.open('my key', { ...place, ...other }, sealed)).toBeUndefined();
    for (let index = 0; index < sealed.length; index += 1) {
      const altered = Buffer.from(sealed);
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(sealer.open('my key', place, altered)).toBeUndefined();
    }
    for (const length of [0, 11, 27, 28, sealed.length - 1])
      expect(sealer.open('my key', place, sealed.subarray(0, length))).toBeUndefined();
  });

  it('shows neither the answer nor the key', () => {
    for (const bytes of [sealed, sealer.hashKey('my key')]) {
      expect(bytes.toString('latin1')).not.toContain('teei_live');
      expect(bytes.toString('latin1')).not.toContain('my key');
    }
    expect(sealer.hashKey('my key')).toHaveLength(32);
    expect(createAnswerSealer('another secret').hashKey('my key')).not.toEqual(sealer.hashKey('my key'));
  });
});
